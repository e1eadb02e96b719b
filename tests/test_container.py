"""The container's files name what is there, and its command is one that this program takes."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_what_is_copied_is_there_and_not_ignored():
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    names = {name.removeprefix("./") for line in copied for name in line.split()}
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert names == kept
    assert all((ROOT / name).exists() for name in names)


def test_the_command_asks_for_a_token_and_compose_gives_one(cli, tmp_path, monkeypatch):
    pytest.importorskip("gradio")
    monkeypatch.delenv("DIFFUSIONSEG_TOKEN", raising=False)
    (command,) = re.findall(r"^CMD (\[\"serve.+\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    done = cli(json.loads(command), cwd=tmp_path)
    assert done.returncode == 2
    assert "token" in done.stderr
    yaml = pytest.importorskip("yaml")
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["diffusionseg"]
    assert "DIFFUSIONSEG_TOKEN" in service["environment"]
    assert service["ports"] == ["127.0.0.1:7860:7860"]
