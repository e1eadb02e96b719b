"""Shards as they are read: nothing foreign, nothing damaged, and what is wrong is named."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffusionseg.data import Sample, ShardError, StoredPairs, list_shards, read_shards, shard_path, write_shard
from shard_samples import png, sample


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
