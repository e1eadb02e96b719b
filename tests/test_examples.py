"""The notebook's code runs from top to bottom, and shows pictures where it says so."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

NOTEBOOKS = sorted((Path(__file__).parent.parent / "examples").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_the_code_runs(path, tmp_path):
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    # A cell's last expression is what a notebook shows.
    code = "import ast\nspace = {}\nshown = []\n"
    for cell in cells:
        code += (
            f"tree = ast.parse({''.join(cell['source'])!r})\n"
            "last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None\n"
            "exec(compile(tree, 'cell', 'exec'), space)\n"
            "value = eval(compile(ast.Expression(last.value), 'cell', 'eval'), space) if last else None\n"
            "shown.append(type(value).__name__)\n"
        )
    done = subprocess.run([sys.executable, "-c", code + "print(shown)"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shown = done.stdout.splitlines()[-1]
    assert shown.count("Image") == 3, shown
    assert "dict" in shown


@pytest.mark.slow
def test_the_figures_of_the_documentation_are_drawn(tmp_path):
    script = NOTEBOOKS[0].parent.parent / "docs" / "figures.py"
    command = [sys.executable, script, "--out", tmp_path, "--steps", "4", "--photographs", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # As many pictures side by side as those that the documentation shows.
    for name in ("attentioncut.png", "prediction.png"):
        with Image.open(tmp_path / name) as drawn, Image.open(script.parent / "images" / name) as shown:
            assert drawn.width == shown.width
            assert len(drawn.getcolors(drawn.width * drawn.height)) > 100
