"""Whatever the files of a data set hold, it is read or refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusionseg.data import (
    LayoutError,
    encoded_image,
    open_dataset,
    parquet_batches,
    read_boxes,
)
from diffusionseg.data.check import check
from diffusionseg.data.voc import read_annotation
from hostile import changed, damaged, few, little_memory, refused_by_name
from picture_zoo import picture

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
