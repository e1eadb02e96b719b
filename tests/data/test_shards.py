"""Synthetic sets on disk."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from diffusionseg.data import (
    ManifestMismatch,
    Sample,
    ShardError,
    atomic_write,
    check_manifest,
    read_manifest,
    read_shards,
    shard_done,
    write_manifest,
    write_shard,
)


def png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def sample(index):
    rng = np.random.default_rng(index)
    image = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)
    mask = rng.choice(np.array([0, 128, 255], np.uint8), (16, 16))
    return Sample(index, {"jpg": png(image), "mask.png": png(mask)}, {"index": index, "class": "cat"}), image, mask


def test_round_trip(tmp_path):
    write_shard(tmp_path, 0, [sample(0)[0], sample(5)[0]], {"rejects": {}})
    write_shard(tmp_path, 1, [sample(7)[0]], {"rejects": {}})
    read = list(read_shards(tmp_path))
    assert [s.index for s in read] == [0, 5, 7]
    _, image, mask = sample(5)
    assert np.array_equal(read[1].image_array(), image)
    assert np.array_equal(read[1].mask_array(), mask)
    assert read[1].meta == {"index": 5, "class": "cat"}


def test_bytes_depend_on_the_samples_alone(tmp_path):
    for name in ("a", "b"):
        write_shard(tmp_path / name, 3, [sample(1)[0]], {"rejects": {"empty": 2}})
    for suffix in ("tar", "json"):
        file = f"shard-000003.{suffix}"
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    with tarfile.open(tmp_path / "a" / "shard-000003.tar") as archive:
        assert [m.name for m in archive] == ["000000001.jpg", "000000001.mask.png", "000000001.json"]
        assert {(m.mtime, m.uid, m.gid) for m in archive} == {(0, 0, 0)}


def test_a_shard_without_sidecar_is_not_done_and_not_read(tmp_path):
    write_shard(tmp_path, 0, [sample(0)[0]], {})
    write_shard(tmp_path, 1, [sample(1)[0]], {})
    (tmp_path / "shard-000001.json").unlink()
    assert not shard_done(tmp_path, 1)
    assert [s.index for s in read_shards(tmp_path)] == [0]


def test_folder_without_shards_names_the_remedy(tmp_path):
    with pytest.raises(ShardError, match="diffusionseg synth"):
        list(read_shards(tmp_path))


def test_damage_is_named(tmp_path):
    write_shard(tmp_path, 0, [sample(0)[0]], {})
    path = tmp_path / "shard-000000.tar"
    content = bytearray(path.read_bytes())
    content[700] ^= 1
    path.write_bytes(content)
    with pytest.raises(ShardError, match=r"shard-000000\.tar.*checksum"):
        list(read_shards(tmp_path))
    path.write_bytes(bytes(content[:600]))
    with pytest.raises(ShardError, match=r"shard-000000\.tar"):
        list(read_shards(tmp_path, verify=False))


@pytest.mark.parametrize("name", ["../000000001.jpg", "/etc/passwd", "000000001.exe", "link"])
def test_unexpected_members_are_refused(tmp_path, name):
    write_shard(tmp_path, 0, [sample(0)[0]], {})
    with tarfile.open(tmp_path / "shard-000000.tar", "w") as archive:
        member = tarfile.TarInfo(name)
        if name == "link":
            member.name, member.type, member.linkname = "000000001.jpg", tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member, io.BytesIO(b""))
    with pytest.raises(ShardError, match="unexpected member"):
        list(read_shards(tmp_path, verify=False))


def test_sample_without_mask_is_named(tmp_path):
    whole, *_ = sample(4)
    write_shard(tmp_path, 0, [Sample(4, {"jpg": whole.files["jpg"]}, {})], {})
    with pytest.raises(ShardError, match=r"sample 000000004 has no mask\.png"):
        list(read_shards(tmp_path))


def test_manifest_differences_are_named_with_both_values(tmp_path):
    write_manifest(tmp_path, {"set": {"seed": 1, "config": {"steps": 10, "templates": ("a", "b")}}})
    stored = read_manifest(tmp_path)["set"]
    check_manifest(stored, {"seed": 1, "config": {"steps": 10, "templates": ("a", "b")}}, tmp_path)
    with pytest.raises(ManifestMismatch, match=r"config\.steps is 10, asked for 20; seed is 1, asked for 2"):
        check_manifest(stored, {"seed": 2, "config": {"steps": 20, "templates": ("a", "b")}}, tmp_path)


def test_damaged_manifest_is_named(tmp_path):
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(ShardError, match=r"manifest\.json"):
        read_manifest(tmp_path)


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file.json"
    atomic_write(path, b"old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.json"]
