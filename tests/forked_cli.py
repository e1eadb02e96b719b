"""`diffusionseg` in processes forked from one that has loaded the libraries, which takes each new process seconds.

What a new process does otherwise is the same: `python -m diffusionseg` with arguments, folder, environment and outputs
of its own. Tests of starting up itself run a real one.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["diffusionseg.comparison", "diffusionseg.demo", "diffusionseg.pretraining", "diffusionseg.pseudolabels"]
)


def run(words, cwd):
    """Run with a list of arguments in a folder; returns it finished, with text output, as `subprocess.run` does."""
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = CONTEXT.Process(target=_main, args=(words, str(cwd), str(out), str(err), dict(os.environ)))
        process.start()
        process.join()
        return subprocess.CompletedProcess(words, process.exitcode, out.read_text(), err.read_text())


def _main(words, cwd, out, err, environment):
    for path, stream in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.argv = ["diffusionseg", *words]
    runpy.run_module("diffusionseg", run_name="__main__", alter_sys=True)
