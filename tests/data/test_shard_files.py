"""Shards: the same bytes from the same samples, whole or not there, and nothing foreign read."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from diffusionseg.data import (
    Sample,
    ShardError,
    StoredPairs,
    atomic_write,
    list_shards,
    read_shards,
    read_sidecar,
    shard_done,
    shard_path,
    whole_file,
    write_shard,
)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def jpg(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 12), (value, 0, 0)).save(buffer, "JPEG")
    return buffer.getvalue()


def sample(index: int) -> Sample:
    mask = np.zeros((12, 16), dtype=np.uint8)
    mask[3:6], mask[6:8] = 255, 128
    return Sample(index, {"jpg": jpg(200), "mask.png": png(mask)}, {"class": "käfer", "box": [0, 3, 16, 6], "b": 1})


def tar_of(members: list[tuple[Any, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member, content in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def plant(folder: Path, content: bytes, samples: int = 1) -> Path:
    """A finished shard with any content and the right checksum."""
    path = shard_path(folder, 0)
    path.write_bytes(content)
    sidecar = {"samples": samples, "sha256": hashlib.sha256(content).hexdigest()}
    path.with_suffix(".json").write_text(json.dumps(sidecar))
    return path


def whole(index: int) -> list[tuple[Any, bytes]]:
    one = sample(index)
    return [
        (f"{index:09d}.jpg", one.files["jpg"]),
        (f"{index:09d}.mask.png", one.files["mask.png"]),
        (f"{index:09d}.json", b"{}"),
    ]


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


def member(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    "foreign",
    [
        "../000000000.jpg",
        "/etc/000000000.jpg",
        "a/../../000000000.jpg",
        "sub/000000000.jpg",
        "000000000.exe",
        "00000000٣.jpg",
        member("000000000.jpg", tarfile.SYMTYPE, "/etc/passwd"),
        member("000000000.jpg", tarfile.LNKTYPE, "000000001.jpg"),
        member("000000000.jpg", tarfile.CHRTYPE),
        member("000000000.jpg", tarfile.DIRTYPE),
        member("000000000.jpg", tarfile.FIFOTYPE),
    ],
    ids=lambda foreign: foreign if isinstance(foreign, str) else f"type {foreign.type.decode()}",
)
def test_foreign_members_are_refused(foreign: Any, tmp_path: Path) -> None:
    path = plant(tmp_path, tar_of([*whole(0), (foreign, b"")]))
    with pytest.raises(ShardError, match="unexpected member") as caught:
        list(read_shards(tmp_path))
    assert str(caught.value).startswith(str(path))


def test_a_member_that_claims_gigabytes_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("000000000.jpg")
    info.size = 10**10
    plant(tmp_path, info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(ShardError, match="claims 10000000000 bytes"):
        list(read_shards(tmp_path))


def test_a_compressed_tar_is_refused(tmp_path: Path) -> None:
    import gzip

    plant(tmp_path, gzip.compress(tar_of(whole(0))))
    with pytest.raises(ShardError, match="damaged archive"):
        list(read_shards(tmp_path))


@pytest.mark.parametrize(
    ("members", "samples", "message"),
    [
        (whole(0)[:2], 1, r"sample 000000000 has no json"),
        ([*whole(0), whole(1)[0]], 2, r"sample 000000001 has no json, mask.png"),
        (whole(0), 2, r"holds 1 samples, its sidecar says 2"),
        ([*whole(1), *whole(0)], 2, r"sample 000000000 comes after 000000001"),
        ([*whole(0), whole(0)[0]], 1, r"holds 000000000.jpg twice"),
        ([*whole(0)[:2], ("000000000.json", b"{")], 1, r"000000000.json is not valid JSON"),
        ([*whole(0)[:2], ("000000000.json", b"[1]")], 1, r"000000000.json holds no JSON object"),
        ([*whole(0)[:2], ("000000000.json", b"[" * 100_000)], 1, r"000000000.json is not valid JSON"),
    ],
)
def test_incomplete_shards_are_named(members: Any, samples: int, message: str, tmp_path: Path) -> None:
    path = plant(tmp_path, tar_of(members), samples)
    with pytest.raises(ShardError, match=message) as caught:
        list(read_shards(tmp_path))
    assert str(path) in str(caught.value)


def test_a_changed_shard_does_not_match_its_checksum(tmp_path: Path) -> None:
    write_shard(tmp_path, 0, [sample(0), sample(1)], {})
    path = shard_path(tmp_path, 0)
    content = bytearray(path.read_bytes())
    content[600] ^= 1
    path.write_bytes(content)
    with pytest.raises(ShardError, match=r"shard-000000\.tar: does not match the checksum"):
        list(read_shards(tmp_path))
    assert len(list(read_shards(tmp_path, verify=False))) == 2


@pytest.mark.parametrize("keep", [0, 100, 512, 700, 1024, 2600])
def test_a_cut_off_shard_is_noticed_without_checksum_too(keep: int, tmp_path: Path) -> None:
    write_shard(tmp_path, 0, [sample(0), sample(1)], {})
    path = shard_path(tmp_path, 0)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ShardError, match="shard-000000"):
        list(read_shards(tmp_path, verify=False))


def test_damaged_sidecars_and_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"nowhere: no such folder"):
        list_shards(tmp_path / "nowhere")
    write_shard(tmp_path, 0, [sample(0)], {})
    shard_path(tmp_path, 0).with_suffix(".json").write_text("{")
    with pytest.raises(ShardError, match=r"shard-000000\.json: not valid JSON"):
        list(read_shards(tmp_path))


def test_samples_say_what_is_wrong_with_them() -> None:
    colours = np.full((12, 16, 3), 9, dtype=np.uint8)
    bad = Sample(4, {"jpg": b"", "mask.png": png(colours), "attention.png": b"no"}, {})
    with pytest.raises(ValueError, match=r"^000000004\.jpg: is empty"):
        bad.image_array()
    with pytest.raises(ShardError, match=r"000000004\.mask\.png: is damaged \(mode RGB"):
        bad.mask_array()
    with pytest.raises(ShardError, match=r"000000004\.attention\.png: is damaged"):
        bad.attention_array()
    with pytest.raises(ShardError, match=r"sample 000000000: has no attention\.png"):
        sample(0).attention_array()
    odd = Sample(4, {"jpg": b"", "mask.png": png(colours[..., 0])}, {})
    with pytest.raises(ShardError, match="other than 0, 128 and 255"):
        odd.mask_array()


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


def test_stored_pairs_are_read_when_indexed_and_equal_the_stream(tmp_path):
    for number, places in enumerate([(0, 1), (2,)]):
        write_shard(tmp_path, number, [sample(i) for i in places], {})
    pairs = StoredPairs([tmp_path, tmp_path])
    assert len(pairs) == 6
    assert pairs.sha256 != StoredPairs([tmp_path]).sha256
    streamed = list(read_shards(tmp_path))
    for (image, mask), expected in zip(pairs[:3], streamed, strict=True):
        assert np.array_equal(image, expected.image_array())
        assert np.array_equal(mask, expected.mask_array())
    assert np.array_equal(pairs[-1][1], pairs[2][1])
    with pytest.raises(IndexError):
        pairs[6]
    shard_path(tmp_path, 1).unlink()
    with pytest.raises(ShardError, match="shard-000001"):
        pairs[2]


def test_stored_pairs_check_what_they_open(tmp_path):
    write_shard(tmp_path, 0, [sample(0)], {})
    content = bytearray(shard_path(tmp_path, 0).read_bytes())
    content[600] ^= 1
    shard_path(tmp_path, 0).write_bytes(content)
    with pytest.raises(ShardError, match="checksum"):
        StoredPairs([tmp_path])


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


def test_names_of_files_that_are_no_text_are_kept(tmp_path):
    name = os.fsdecode(b"k\xe4fer.jpg")
    odd = Sample(0, sample(0).files, {"source": name})
    write_shard(tmp_path, 0, [odd], {"unreadable": [name]})
    assert list(read_shards(tmp_path)) == [odd]
    assert read_sidecar(tmp_path, 0)["unreadable"] == [name]
    assert b"k\\udce4fer.jpg" in shard_path(tmp_path, 0).with_suffix(".json").read_bytes()
