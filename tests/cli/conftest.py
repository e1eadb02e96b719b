"""The command line in a process of its own, as a user runs it."""

import os
import shlex
import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def cli():
    """Run `diffusionseg ARGUMENTS` in a folder; returns the finished process with text output."""

    def run(arguments, cwd, **options):
        words = shlex.split(arguments) if isinstance(arguments, str) else [str(a) for a in arguments]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        return subprocess.run(
            [sys.executable, "-m", "diffusionseg", *words],
            cwd=cwd,
            capture_output=True,
            text=True,
            env=environment,
            **options,
        )

    return run
