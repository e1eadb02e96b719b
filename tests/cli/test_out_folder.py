"""Verbs whose results need a folder take no other place, and make none of the URL's name."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from diffusionseg.cli.app import application
from diffusionseg.cli.options import local_folder

COMMANDS = [
    "predict photos",
    "train pairs",
    "distill pairs",
    "pretrain photos",
    "compare ecssd",
    "export predictions --format coco",
    "demo",
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("url", ["s3://bucket/x", "nowhere://x"])
def test_a_url_is_refused_and_nothing_made(command, url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(application(), [*command.split(), "--out", url])
    assert done.exit_code == 2, done.output
    assert f"'--out': {url}: must be a folder" in done.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", COMMANDS)
def test_a_url_in_a_configuration_file_is_refused_too(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("c.toml").write_text('out = "s3://bucket/x"\n')
    done = CliRunner().invoke(application(), [*command.split(), "--config", "c.toml"])
    assert done.exit_code == 2, done.output
    assert "s3://bucket/x: must be a folder" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["c.toml"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(typer.BadParameter, match="file: is a file; a folder is needed"):
        local_folder(tmp_path / "file")


def test_folders_are_taken_as_they_are_and_file_urls_for_what_they_mean():
    assert local_folder("some/where") == Path("some/where")
    assert local_folder(Path("demo")) == Path("demo")
    assert local_folder("file:///some/where") == Path("/some/where")
    with pytest.raises(typer.BadParameter, match="must be a folder"):
        local_folder("memory://x")
