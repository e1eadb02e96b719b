"""boxes.jsonl: what is read, and that a wrong line is named by its number."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from diffusionseg.data import ImageBoxes, LayoutError, ObjectBox, read_boxes

GOOD = {
    "image": "a.jpg",
    "width": 20,
    "height": 10,
    "objects": [{"name": "cat", "difficult": 1, "box": [0, 1, 5.5, 9]}],
}


def write(path: Path, *records: object) -> Path:
    path.write_text("\n".join(json.dumps(r) for r in records) + "\n\n")
    return path


def test_objects_are_read_and_crowds_left_out(tmp_path: Path) -> None:
    crowd = {"box": [0, 0, 20, 10], "iscrowd": 1}
    path = write(tmp_path / "b.jsonl", {**GOOD, "objects": [*GOOD["objects"], crowd]}, {**GOOD, "image": "b.jpg"})
    cat = ObjectBox((0.0, 1.0, 5.5, 9.0), "cat", True)
    assert read_boxes(path) == [ImageBoxes("a.jpg", 20, 10, (cat,)), ImageBoxes("b.jpg", 20, 10, (cat,))]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image": None}, "needs `image`"),
        ({"width": 0}, "needs `width` and `height`"),
        ({"height": "10"}, "needs `width` and `height`"),
        ({"objects": {}}, "needs `objects`"),
        ({"objects": [[0, 0, 1, 1]]}, "needs `objects`"),
        ({"objects": [{}]}, r"a box is \[x0, y0, x1, y1\], not None"),
        ({"objects": [{"box": [0, 0, 1]}]}, "a box is"),
        ({"objects": [{"box": [0, 0, 1, "1"]}]}, "a box is"),
        ({"objects": [{"box": [0, 0, 1, float("nan")]}]}, "a box is"),
        ({"objects": [{"box": [0, 0, True, 1]}]}, "a box is"),
        ({"objects": [{"box": [5, 0, 5, 1]}]}, "is empty"),
        ({"objects": [{"box": [0, 3, 5, 1]}]}, "is empty"),
        ({"image": "first.jpg"}, "is on line 1 already"),
    ],
)
def test_a_wrong_line_is_named(change: dict[str, object], reason: str, tmp_path: Path) -> None:
    path = write(tmp_path / "b.jsonl", {**GOOD, "image": "first.jpg"}, {**GOOD, **change})
    with pytest.raises(LayoutError, match=rf"b\.jsonl:2: .*{reason}"):
        read_boxes(path)


@pytest.mark.parametrize(("content", "reason"), [("", "holds no image"), ("{}\n{", ":2: not valid"), ("3", ":1: exp")])
def test_files_that_are_no_boxes_are_named(content: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text(content)
    with pytest.raises(LayoutError, match=rf"b\.jsonl.*{reason}"):
        read_boxes(tmp_path / "b.jsonl")
    with pytest.raises(LayoutError, match=r"missing\.jsonl: No such file"):
        read_boxes(tmp_path / "missing.jsonl")
