"""Shards as they are written: the same bytes from the same samples, whole or not there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from diffusionseg.data import (
    Sample,
    ShardError,
    list_shards,
    read_shards,
    read_sidecar,
    shard_done,
    shard_path,
    write_shard,
)
from shard_samples import sample


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_shard(tmp_path, 0, [sample(0), sample(3)], {"rejects": {"area": 2}})
    write_shard(tmp_path, 1, [sample(7)], {})
    write_shard(tmp_path, 2, [], {})
    found = list(read_shards(tmp_path))
    assert found == [sample(0), sample(3), sample(7)]
    np.testing.assert_allclose(found[0].image_array().mean(axis=(0, 1)), [200, 0, 0], atol=2)
    assert found[0].mask_array()[:, 0].tolist() == [0] * 3 + [255] * 3 + [128] * 2 + [0] * 4
    content = shard_path(tmp_path, 0).read_bytes()
    assert read_sidecar(tmp_path, 0) == {
        "rejects": {"area": 2},
        "samples": 2,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def test_bytes_depend_on_the_samples_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = sample(5)
    other = Sample(5, dict(reversed(one.files.items())), dict(reversed(one.meta.items())))
    write_shard(tmp_path / "a", 0, [one], {"x": 1, "y": 2})
    monkeypatch.setattr(time, "time", lambda: 4e9)
    old = os.umask(0o077)
    try:
        write_shard(tmp_path / "b", 0, iter([other]), {"y": 2, "x": 1})
    finally:
        os.umask(old)
    for name in ("shard-000000.tar", "shard-000000.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    with tarfile.open(shard_path(tmp_path / "a", 0)) as archive:
        members = archive.getmembers()
    assert [m.name for m in members] == ["000000005.jpg", "000000005.mask.png", "000000005.json"]
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {(0, 0, 0, "", "", 0o644)}


@pytest.mark.parametrize("order", [[3, 3], [4, 2], [10**9]])
def test_places_must_increase(order: list[int], tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="its place must lie above"):
        write_shard(tmp_path, 0, [sample(i) for i in order], {})
    assert not shard_path(tmp_path, 0).exists()


def test_a_sample_without_a_mask_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"sample 000000001: has the parts jpg, json"):
        write_shard(tmp_path, 0, [Sample(1, {"jpg": b"x"}, {})], {})


def test_a_crash_before_the_rename_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        write_shard(tmp_path, 0, [sample(0)], {})
    assert list(tmp_path.iterdir()) == []
    assert not shard_done(tmp_path, 0)


@pytest.mark.parametrize("renames", [0, 1])
def test_a_kill_between_the_renames_leaves_the_shard_undone(renames: int, tmp_path: Path) -> None:
    script = f"""
import os, pathlib
from diffusionseg.data import Sample, write_shard
replace, left = pathlib.Path.replace, [{renames}]
def kill(self, target):
    if not left[0]:
        os.kill(os.getpid(), 9)
    left[0] -= 1
    return replace(self, target)
pathlib.Path.replace = kill
write_shard(pathlib.Path({str(tmp_path)!r}), 0, [Sample(0, {{"jpg": b"x", "mask.png": b"y"}}, {{}})], {{}})
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    assert shard_path(tmp_path, 0).exists() == bool(renames)
    assert not shard_done(tmp_path, 0)
    assert len(list(tmp_path.glob(".*.tmp"))) == 1
    with pytest.raises(ShardError, match="no finished shard"):
        list_shards(tmp_path)
    write_shard(tmp_path, 0, [sample(0)], {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shard-000000.json", "shard-000000.tar"]
    assert list(read_shards(tmp_path)) == [sample(0)]


def test_rewriting_is_undone_until_it_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shard(tmp_path, 0, [sample(0)], {})

    def crash(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        write_shard(tmp_path, 0, [sample(1)], {})
    assert not shard_done(tmp_path, 0)


def test_failing_samples_keep_the_old_shard(tmp_path: Path) -> None:
    def failing() -> Iterator[Sample]:
        yield sample(0)
        raise RuntimeError("generator broke")

    write_shard(tmp_path, 0, [sample(0)], {})
    with pytest.raises(RuntimeError, match="generator broke"):
        write_shard(tmp_path, 0, failing(), {})
    assert list(read_shards(tmp_path)) == [sample(0)]


def test_names_of_files_that_are_no_text_are_kept(tmp_path):
    name = os.fsdecode(b"k\xe4fer.jpg")
    odd = Sample(0, sample(0).files, {"source": name})
    write_shard(tmp_path, 0, [odd], {"unreadable": [name]})
    assert list(read_shards(tmp_path)) == [odd]
    assert read_sidecar(tmp_path, 0)["unreadable"] == [name]
    assert b"k\\udce4fer.jpg" in shard_path(tmp_path, 0).with_suffix(".json").read_bytes()
