"""The server as a process of its own: many clients, and requests that nobody would send. Few of both; the benchmarks
that are run here take thousands."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("gradio")
pytestmark = pytest.mark.slow
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(name, *arguments):
    command = [sys.executable, str(BENCHMARKS / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_clients_at_once_get_the_bytes_of_the_command_line_and_come_again_when_turned_away(home):
    photos = home / "photos"
    told = run("serve_load.py", "--photos", photos, "--count", 2, "--clients", 5, "--weights", "student", "--queue", 2)
    assert "answered as the command line does | 10 of 10" in told
    assert "turned away and tried again | 0" not in told


def test_no_request_makes_the_server_fail():
    pytest.importorskip("schemathesis")
    told = run("serve_fuzz.py", "--weights", "student", "--calls", 150)
    assert "student: 150 calls" in told
    assert "26 attacks refused" in told
