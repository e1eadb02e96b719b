"""Files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from diffusionseg.data import atomic_write, whole_file, write_shard
from shard_samples import sample


def test_atomic_write_replaces_and_respects_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.json"
    atomic_write(path, b"one")
    old = os.umask(0o027)
    try:
        atomic_write(path, b"two")
    finally:
        os.umask(old)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]


def half_written(path, error):
    with whole_file(path) as file:
        file.write_bytes(b"half")
        raise error


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), PermissionError(13, "Permission denied")])
def test_what_cannot_be_written_is_named_and_leaves_nothing(error, tmp_path, monkeypatch):
    write_shard(tmp_path, 0, [sample(0)], {})
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}

    def refuse(handle):
        raise error

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(type(error), match=rf"{error.strerror}: '.*/manifest\.json'"):
        atomic_write(tmp_path / "manifest.json", b"{}")
    with pytest.raises(type(error), match=rf"{error.strerror}: '.*/a\.png'"):
        half_written(tmp_path / "a.png", error)
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before
    with pytest.raises(FileNotFoundError, match=r"'/nowhere/b'"), whole_file(tmp_path / "a.png"):
        Path("/nowhere/b").read_bytes()
