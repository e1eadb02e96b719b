"""COCO: annotations/instances_*.json, a folder of photographs, and for COCO20k a list of ids or names.

A box is `x, y, width, height` in pixels from 0; (x, y, x + width, y + height) is rounded to whole pixels, as
valeoai/LOST, datasets.py, does. Crowds are dropped. The list of COCO20k has names of train2014 such as
train2014/COCO_train2014_000000000009.jpg; LOST's repository holds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from diffusionseg.data.boxes import BoxSet, ImageBoxes, ObjectBox, is_number, is_side
from diffusionseg.data.json_files import read_json_object
from diffusionseg.data.layouts import Fault, LayoutError


def find_coco(root: Path) -> list[Path]:
    """The instances_*.json that are meant by a root, which may be one of them."""
    if root.is_file():
        return [root] if root.name.startswith("instances_") and root.suffix == ".json" else []
    return sorted([*root.glob("instances_*.json"), *root.glob("annotations/instances_*.json")])


def find_list(root: Path, split: str | None = None) -> Path | None:
    """The list of images that `split` names, else one called *20k*.txt beside the annotations or in the root."""
    if split is not None:
        named = [p for p in (Path(split), root / split) if p.is_file()]
        if not named:
            raise LayoutError(f"{split}: no such file; for COCO --split names a file with ids or names, one a line")
        return named[0]
    found = sorted([*root.glob("*20k*.txt"), *root.glob("annotations/*20k*.txt")])
    return found[0] if found else None


def coco_boxes(annotations: Path, listed: Path | None = None) -> BoxSet:
    """The objects of the listed images, of all without a list. Raises LayoutError for a file of another kind."""
    try:
        record = read_json_object(annotations)
        names = {_id(c["id"]): str(c["name"]) for c in record.get("categories", [])}
        images = {_id(i["id"]): i for i in record["images"]}
        objects: dict[int, list[ObjectBox]] = {key: [] for key in images}
        for note in record["annotations"]:
            box, image = _box(note["bbox"]), _id(note["image_id"])
            if not note.get("iscrowd") and box and image in objects:
                objects[image].append(ObjectBox(box, names.get(note.get("category_id"), "")))
        ids = list(images) if listed is None else read_ids(listed)
        boxes = tuple(_entry(images[key], objects[key]) for key in ids if key in images)
    except LayoutError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LayoutError(f"{annotations}: not COCO's instances ({type(error).__name__}: {error})") from error
    absent = [Fault(str(key), f"listed, but not in {annotations.name}") for key in ids if key not in images]
    photographs = _photographs(annotations, [b.image for b in boxes])
    lost = [Fault(b.image, "annotated, but in no folder of photographs") for b in boxes if b.image not in photographs]
    return BoxSet(boxes, photographs, (*absent, *lost))


def read_ids(path: Path) -> list[int]:
    """The ids a list holds, as numbers or at the end of file names. Raises LayoutError with the line's number."""
    ids = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if line.strip():
            digits = line.split()[0].rsplit("/", 1)[-1].split(".")[0].rsplit("_", 1)[-1]
            if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
                raise LayoutError(f"{path}:{number}: {line.strip()!r} is neither an id nor a name ending in one")
            ids.append(int(digits))
    return list(dict.fromkeys(ids))


def _photographs(annotations: Path, names: Iterable[str]) -> dict[str, Path]:
    around = annotations.parent.parent if annotations.parent.name == "annotations" else annotations.parent
    split = annotations.stem.removeprefix("instances_")
    folders = [around / split, around / "images" / split, around / "images", around]
    there = [(folder, {p.name for p in folder.iterdir()}) for folder in folders if folder.is_dir()]
    return {n: folder / n for n in names for folder in [next((f for f, held in there if n in held), None)] if folder}


def _id(value: object) -> int:
    if type(value) is not int:
        raise ValueError(f"{value!r:.100} is no id")
    return value


def _entry(image: dict[str, Any], objects: list[ObjectBox]) -> ImageBoxes:
    name, width, height = image["file_name"], image["width"], image["height"]
    if not (isinstance(name, str) and name and is_side(width) and is_side(height)):
        raise ValueError(f"an image needs a file_name, width and height, got {name!r:.100}")
    return ImageBoxes(name, width, height, tuple(objects))


def _box(value: object) -> tuple[float, float, float, float] | None:
    """LOST's box; where rounding leaves nothing the box as it is, and None where it was empty before."""
    if not isinstance(value, list) or len(value) != 4 or not all(is_number(v) for v in value):
        raise ValueError(f"a bbox is [x, y, width, height], not {value!r:.100}")
    x, y, width, height = value
    exact = float(x), float(y), float(x + width), float(y + height)
    rounded = (float(round(exact[0])), float(round(exact[1])), float(round(exact[2])), float(round(exact[3])))
    return next((b for b in (rounded, exact) if b[0] < b[2] and b[1] < b[3]), None)
