"""The documentation builds as a site without a warning, and its pages ask no other host for anything."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from diffusionseg import __all__ as public

pytest.importorskip("mkdocs")
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    place = tmp_path_factory.mktemp("site")
    # A proxy that nobody is: whatever asks the network fails.
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(place)],
        cwd=ROOT,
        env={**os.environ, **nowhere, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return place


def test_every_page_is_there_and_asks_no_other_host(site):
    pages = list(site.rglob("*.html"))
    names = {page.relative_to(site).as_posix() for page in pages}
    wanted = {f"docs/{page.stem}.html" for page in (ROOT / "docs").glob("*.md")}
    assert names >= {"index.html", "CHANGELOG.html", "recipes/mini/index.html", *wanted}
    for page in pages:
        text = page.read_text()
        loaded = re.findall(r"<(?:script|img|link|iframe|source)[^>]*?(?:src|href)=\"(https?:)?//[^\"]*", text)
        assert loaded == [], page
        assert not re.search(r"@import|url\((?:https?:)?//", text), page


def test_every_verb_and_public_name_is_explained(site):
    commands = (site / "docs" / "commands.html").read_text()
    for verb in ("synth", "predict", "distill", "serve", "datasets check"):
        assert re.search(rf"<h2[^>]*>{verb}<", commands), verb
    assert "--crop-to-object" in commands
    python = (site / "docs" / "python.html").read_text()
    for name in set(public) - {"__version__"}:
        assert re.search(rf'id="diffusionseg\.\w+\.{name}"', python), name
