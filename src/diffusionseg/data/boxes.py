"""boxes.jsonl: the annotated objects of images, one image a line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusionseg.data.json_files import read_json_lines
from diffusionseg.data.layouts import Fault, LayoutError

LARGEST = 1e9
"""Coordinates and sides in pixels stay below."""


@dataclass(frozen=True)
class ObjectBox:
    """One annotated object."""

    box: tuple[float, float, float, float]
    """(x0, y0, x1, y1) in pixels, half-open."""
    name: str = ""
    """Class, empty where unknown."""
    difficult: bool = False
    """Marked as difficult in PASCAL VOC; counts in CorLoc."""


@dataclass(frozen=True)
class ImageBoxes:
    """The annotated objects of one image."""

    image: str
    """File name, with folders where the set has them."""
    width: int
    """In pixels."""
    height: int
    """In pixels."""
    objects: tuple[ObjectBox, ...]
    """All objects, crowds (`iscrowd`) left out."""


@dataclass(frozen=True)
class BoxSet:
    """The boxes of a data set and the photographs they belong to."""

    boxes: tuple[ImageBoxes, ...]
    """One entry an image."""
    images: dict[str, Path]
    """Name in `boxes` to photograph, those that are there."""
    faults: tuple[Fault, ...] = ()
    """Images without photograph, annotations that cannot be read."""


def read_box_lines(path: Path) -> list[ImageBoxes]:
    """The lines of a boxes.jsonl: image, width, height, objects (box, name, difficult, iscrowd).

    Raises LayoutError with file and line number for a missing entry, a wrong type, a box that is empty or has no four
    finite numbers, and an image that was there before.
    """
    try:
        lines = list(read_json_lines(path))
    except ValueError as error:
        raise LayoutError(str(error)) from error
    seen: dict[str, int] = {}
    found = []
    for number, record in lines:
        try:
            entry = _image_boxes(record)
            if entry.image in seen:
                raise ValueError(f"image {entry.image!r} is on line {seen[entry.image]} already")
        except ValueError as error:
            raise LayoutError(f"{path}:{number}: {error}") from error
        seen[entry.image] = number
        found.append(entry)
    if not found:
        raise LayoutError(f"{path}: holds no image")
    return found


def _image_boxes(record: dict[str, Any]) -> ImageBoxes:
    name, objects = record.get("image"), record.get("objects")
    if not isinstance(name, str) or not name:
        raise ValueError("needs `image`, a file name")
    if not isinstance(objects, list) or not all(isinstance(o, dict) for o in objects):
        raise ValueError("needs `objects`, a list of objects with a `box` each")
    sizes = [record.get(key) for key in ("width", "height")]
    if not all(is_side(size) for size in sizes):
        raise ValueError("needs `width` and `height` in pixels")
    boxes = tuple(
        ObjectBox(read_box(o.get("box")), str(o.get("name", "")), bool(o.get("difficult", False)))
        for o in objects
        if not o.get("iscrowd")
    )
    return ImageBoxes(name, int(sizes[0] or 0), int(sizes[1] or 0), boxes)


def read_box(value: object) -> tuple[float, float, float, float]:
    """A box as JSON gives it. Raises ValueError unless it is four finite numbers x0 < x1, y0 < y1 in that order."""
    if not isinstance(value, list) or len(value) != 4 or not all(is_number(v) for v in value):
        raise ValueError(f"a box is [x0, y0, x1, y1], not {value!r}")
    x0, y0, x1, y1 = (float(v) for v in value)
    if not (x0 < x1 and y0 < y1):
        raise ValueError(f"box {value!r} is empty; it must have x0 < x1 and y0 < y1")
    return x0, y0, x1, y1


def is_number(value: object) -> bool:
    """Whether a value as JSON gives it is a number, and neither NaN nor beyond all pixels."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def is_side(value: object) -> bool:
    """Whether a value as JSON gives it can be a side of a picture in pixels."""
    return type(value) is int and 0 < value < LARGEST
