"""The commands and the Python code of the documentation run, and its links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
INSTALLS = ("pip install .", "pip install '.[test]'")
"""What the environment of this very test was made with."""


def blocks(language):
    """(page, code) of every fenced block of a language."""
    found = [
        (page.name, code)
        for page in PAGES
        for code in re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    ]
    assert found
    return found


def commands():
    """Every command of every page's bash blocks, installation and the call of pytest itself left out."""
    lines = [line for _, code in blocks("bash") for line in code.splitlines()]
    parts = [part.strip() for line in lines for part in line.split("&&")]
    return [part for part in dict.fromkeys(parts) if part not in (*INSTALLS, "pytest")]


@pytest.mark.slow
def test_commands_run_in_their_order(documented):
    found = commands()
    assert len(found) >= 5
    for command in found:
        assert command.startswith("diffusionseg "), command
        done = documented(command)
        assert done.returncode == 0, f"{command}\n{done.stderr}"


@pytest.mark.slow
@pytest.mark.parametrize(("page", "code"), blocks("python"))
def test_python_runs(page, code, home):
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=home, capture_output=True, text=True)
    assert done.returncode == 0, f"{page}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    for link in links:
        assert link.startswith("https://") or (page.parent / link).exists(), link
