"""Whatever a file holds, a reader reads it or refuses it by name: no other error, no warning, no end of memory."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from diffusionseg.data import (
    ImageError,
    Sample,
    ShardError,
    StoredPairs,
    read_image,
    read_manifest,
    read_shards,
    read_sidecar,
    shard_path,
    write_shard,
)
from diffusionseg.data.headers import upright_size
from diffusionseg.evaluation.pictures import read_mask, read_saliency
from diffusionseg.status import folder_status
from hostile import changed, damaged, few, little_memory, refused_by_name
from picture_zoo import picture, png_claiming

exif = Image.Exif()
exif[0x0112] = 6
PHOTOGRAPHS = {
    "JPEG": [picture("JPEG", exif=exif), picture("JPEG", "CMYK", progressive=True)],
    "PNG": [picture("PNG"), picture("PNG", "P"), picture("PNG", "RGBA"), picture("PNG", "I;16")],
    "GIF and BMP": [picture("GIF"), picture("BMP"), picture("BMP", "1")],
    "TIFF": [picture("TIFF", compression=c) for c in (None, "tiff_lzw", "jpeg", "tiff_adobe_deflate")],
    "WEBP": [picture("WEBP"), picture("WEBP", "RGBA", lossless=True)],
    "others": [picture("PPM"), picture("JPEG2000"), picture("AVIF"), picture("QOI")],
}
MASKS = [
    *(picture("PNG", mode) for mode in ("1", "L", "P", "I;16", "LA")),
    *(picture(kind, "L") for kind in ("TIFF", "GIF", "BMP", "PPM", "WEBP")),
]


@pytest.mark.parametrize("kind", PHOTOGRAPHS)
def test_photographs(kind: str, place: Path) -> None:
    @few
    @given(damaged(PHOTOGRAPHS[kind]))
    def look(content: bytes) -> None:
        path = place / "photograph.jpg"
        path.write_bytes(content)
        image = refused_by_name(lambda: read_image(path), ImageError, path)
        assert image is None or image.mode == "RGB"
        refused_by_name(lambda: upright_size(path), ImageError, path)

    look()


def test_masks_and_saliency(place: Path) -> None:
    @few
    @given(damaged(MASKS))
    def look(content: bytes) -> None:
        path = place / "mask.png"
        path.write_bytes(content)
        for undecided in ("protocol", "half"):
            refused_by_name(lambda u=undecided: read_mask(path, u), ImageError, path)  # type: ignore[misc]
        refused_by_name(lambda: read_saliency(path, (20, 24)), ImageError, path)

    look()


def shard(folder: Path) -> Path:
    files = {"jpg": picture("JPEG"), "mask.png": picture("PNG", "1"), "attention.png": picture("PNG", "L")}
    write_shard(folder, 0, [Sample(i, files, {"class": "cat"}) for i in (0, 7)], {"rejects": {"area": 1}})
    return shard_path(folder, 0)


def test_shards(place: Path) -> None:
    path = shard(place / "shards")
    whole = path.read_bytes()

    def read(verify: bool) -> None:
        for sample in read_shards(path.parent, verify=verify):
            sample.image_array(), sample.mask_array(), sample.attention_array()
        if verify:
            _ = StoredPairs([path.parent])[0]

    @few
    @given(damaged([whole]), st.booleans())
    def look(content: bytes, checked: bool) -> None:
        path.write_bytes(content)
        sidecar = {"samples": 2, "sha256": hashlib.sha256(content).hexdigest()}
        path.with_suffix(".json").write_text(json.dumps(sidecar))
        refused_by_name(lambda: read(checked), (ShardError, ImageError), path)  # type: ignore[arg-type]

    look()


def test_sidecars(place: Path) -> None:
    path = shard(place / "sidecars").with_suffix(".json")

    @few
    @given(changed([json.loads(path.read_bytes())]))
    def look(content: bytes) -> None:
        path.write_bytes(content)
        refused_by_name(lambda: read_sidecar(path.parent, 0), ShardError, path)
        refused_by_name(lambda: list(read_shards(path.parent)), ShardError, path.with_suffix(""))

    look()


MANIFEST = {
    "format": 1,
    "set": {
        "backbone": {"name": "mini", "fingerprint": "f"},
        "classes": ["cat"],
        "count": 3,
        "seed": 0,
        "shard_size": 2,
        "device_type": "cpu",
        "dtype": "float32",
        "config": {"steps": 2, "templates": ["a {name}"], "gate": {"max_border": 0.1}},
    },
    "made_with": {"torch": "2"},
    "result": {"samples": 3},
}
LABELLED = {"kind": "pseudolabels", "set": {"sources": {"photographs": 3}, "shard_size": 2}, "made_with": {}}


def test_manifests(place: Path) -> None:
    path = place / "manifest.json"

    @few
    @given(changed([MANIFEST, LABELLED]))
    def look(content: bytes) -> None:
        path.write_bytes(content)
        refused_by_name(lambda: read_manifest(place), ValueError, path)
        refused_by_name(lambda: folder_status(place), ValueError, path)

    look()


def header(name: str, size: int, kind: bytes = b"0") -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


TARS = {
    "a chain of extensions": (header("x", 5, b"x") + b"9 a=b\n".ljust(512, b"\0")) * 5000,
    "a long name of gigabytes": header("x", 2**62, b"L"),
    "digits without end": header("x", 400_000, b"x") + b"1" * 400_384,
    "a size below zero": header("000000000.jpg", 5)[:124] + b"\xff" * 12 + bytes(376),
    "a sparse file": header("000000000.jpg", 5, b"S"),
    "nothing": b"",
}


@pytest.mark.parametrize("kind", TARS)
def test_archives_that_would_loop_recurse_or_fill_the_memory(kind: str, tmp_path: Path) -> None:
    path = shard(tmp_path)
    path.write_bytes(TARS[kind])
    refused = pytest.raises(ShardError, match=r"shard-000000\.tar: (unexpected member|damaged archive)")
    with little_memory(0.5), refused:
        list(read_shards(tmp_path, verify=False))


def test_a_mask_that_unfolds_to_gigabytes_is_refused_from_its_header(tmp_path: Path) -> None:
    bomb = png_claiming(12_000, 12_000, colour=0)
    bad = Sample(0, {"jpg": bomb, "mask.png": bomb}, {}, "shard.tar: ")
    with little_memory(0.5), pytest.raises(ImageError, match=r"^shard\.tar: 000000000\.jpg: .*pixels"):
        bad.image_array()
    with (
        little_memory(0.5),
        pytest.raises(ShardError, match=r"^shard\.tar: 000000000\.mask\.png: .*more than 100000000"),
    ):
        bad.mask_array()
