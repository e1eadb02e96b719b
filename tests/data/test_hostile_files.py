"""Whatever a file holds, a reader reads it or refuses it by name: no other error, no warning, no end of memory."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from diffusionseg.data import (
    ImageError,
    LayoutError,
    Sample,
    ShardError,
    StoredPairs,
    encoded_image,
    open_dataset,
    parquet_batches,
    read_boxes,
    read_image,
    read_manifest,
    read_shards,
    read_sidecar,
    shard_path,
    write_shard,
)
from diffusionseg.data.check import check
from diffusionseg.data.headers import upright_size
from diffusionseg.data.voc import read_annotation
from diffusionseg.evaluation.pictures import read_mask, read_saliency
from diffusionseg.status import folder_status
from hostile import changed, damaged, few, little_memory, refused_by_name
from picture_zoo import png_claiming


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


def picture(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


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


BOXES = {"image": "a.jpg", "width": 24, "height": 20, "objects": [{"name": "cat", "difficult": 0, "box": [0, 1, 9, 9]}]}
COCO = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 24, "height": 20}],
    "annotations": [{"id": 5, "image_id": 1, "category_id": 3, "iscrowd": 0, "bbox": [1, 2, 10.5, 9]}],
    "categories": [{"id": 3, "name": "cat"}],
}


def dataset(root: Path, *files: tuple[str, bytes]) -> Path:
    """A folder with files and one photograph under every place where the layouts have it."""
    photograph = picture("JPEG")
    for name in ("images/a.jpg", "JPEGImages/a.jpg"):
        files = (*files, (name, photograph))
    for name, content in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def whole_set(root: Path, *names: str) -> None:
    """Open a data set and look at everything in it, as `datasets check` does."""
    found = refused_by_name(lambda: open_dataset(root), LayoutError, *names)
    if found is not None:
        check(found)


@few
@given(changed([BOXES]), st.booleans())
def test_lines_of_boxes(place: Path, content: bytes, twice: bool) -> None:
    root = dataset(place / "lines", ("boxes.jsonl", content + (b"\n" + json.dumps(BOXES).encode() if twice else b"")))
    refused_by_name(lambda: read_boxes(root / "boxes.jsonl"), LayoutError, "boxes.jsonl")
    whole_set(root, "boxes.jsonl")


@few
@given(changed([COCO]), damaged([b"1\n", b"train2014/COCO_train2014_000000000001.jpg\n"]))
def test_coco(place: Path, content: bytes, listed: bytes) -> None:
    root = dataset(place / "coco", ("annotations/instances_train2014.json", content), ("my20k.txt", listed))
    whole_set(root, "instances_train2014.json", "my20k.txt")


@few
@given(damaged([b"1 a.jpg\n2 b.jpg\n"]), damaged([b"1 2.0 3.0 10.0 9.0\n2 nan 1 inf 1e400\n"]))
def test_cub(place: Path, names: bytes, boxes: bytes) -> None:
    whole_set(dataset(place / "cub", ("images.txt", names), ("bounding_boxes.txt", boxes)), "images.txt", "bounding")


VOC = b"""<annotation><size><width>24</width><height>20</height></size><object><name>cat</name><difficult>0</difficult>
<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>1e1</ymax></bndbox></object></annotation>"""


@few
@given(damaged([VOC, VOC.replace(b"24", b"inf").replace(b"9", b"1e400")]), damaged([b"a\n", b"a 1\nb -1\n"]))
def test_voc(place: Path, annotation: bytes, listed: bytes) -> None:
    root = dataset(place / "voc", ("Annotations/a.xml", annotation), ("ImageSets/Main/trainval.txt", listed))
    refused_by_name(lambda: read_annotation(root / "Annotations/a.xml", root / "JPEGImages/a.jpg"), ValueError, "a.xml")
    whole_set(root)


def test_parquet(place: Path) -> None:
    path = place / "photos.parquet"
    parquet.write_table(pa.table({"image": [picture("PNG")] * 3, "class": ["cat"] * 3}), path)
    whole = path.read_bytes()

    def read() -> None:
        for batch in parquet_batches(path, ["image", "class"]):
            for cell in batch["image"]:
                assert isinstance(encoded_image(cell), bytes)

    @few
    @given(damaged([whole]))
    def look(content: bytes) -> None:
        path.write_bytes(content)
        refused_by_name(read, ValueError, path)

    look()


def entities(count: int) -> bytes:
    lines = [f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, count)]
    return b"<!DOCTYPE a [<!ENTITY e0 'boom'>" + "".join(lines).encode() + f"]><a>&e{count - 1};</a>".encode()


BOMBS = {
    "entities": entities(12),
    "entities in UTF-16": entities(12).decode().encode("utf-16"),
    "a file elsewhere": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "depth": b"<a>" * 100_000,
    "length": b"<a>" + b" " * 2_000_000 + b"</a>",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_xml_bombs(bomb: str, tmp_path: Path) -> None:
    root = dataset(tmp_path, ("Annotations/a.xml", BOMBS[bomb]))
    with little_memory(0.5), pytest.raises(ValueError, match=r"a\.xml"):
        read_annotation(root / "Annotations/a.xml", root / "JPEGImages/a.jpg")


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
