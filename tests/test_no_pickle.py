"""Nothing that can run code when it is read: no file is pickled, and none is read that might be."""

import ast
from pathlib import Path

import pytest

import diffusionseg

SOURCES = sorted(Path(diffusionseg.__file__).parent.rglob("*.py"))
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
CALLS = {"torch.load", "torch.save", "np.load", "numpy.load", "yaml.load", "eval", "exec", "pd.read_pickle"}
# Between processes of one run: whether an error can travel at all.
ALLOWED = {("engine/contract.py", "pickle")}


KEYWORDS = {"allow_pickle", "trust_remote_code", "weights_only"}


def refused(path):
    """Modules, calls and arguments of a source that read what can run code."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names} & MODULES
        elif isinstance(node, ast.ImportFrom):
            found |= {(node.module or "").partition(".")[0]} & MODULES
        elif isinstance(node, ast.Call):
            found |= {ast.unparse(node.func)} & CALLS | {k.arg for k in node.keywords} & KEYWORDS
    return found


@pytest.mark.parametrize("code", ["import pickle", "from joblib import load", "torch.load(x)", "f(allow_pickle=True)"])
def test_it_would_be_noticed(code, tmp_path):
    (tmp_path / "a.py").write_text(code)
    assert refused(tmp_path / "a.py")


def test_no_source_reads_or_writes_pickles():
    root = Path(diffusionseg.__file__).parent
    uses = {(path.relative_to(root).as_posix(), name) for path in SOURCES for name in refused(path)}
    assert uses == ALLOWED
