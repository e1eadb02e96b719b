"""CUB-200-2011: images/, images.txt, bounding_boxes.txt, train_test_split.txt, and segmentations/ inside or beside.

A line of bounding_boxes.txt is `id x y width height` in pixels, taken as counted from 0: (x, y, x + width, y + height).
The masks have grey levels, since several people drew each.
"""

from __future__ import annotations

from pathlib import Path

from diffusionseg.data.boxes import LARGEST, BoxSet, ImageBoxes, ObjectBox
from diffusionseg.data.headers import upright_size
from diffusionseg.data.layouts import Fault, Layout, LayoutError
from diffusionseg.data.pairs import MaskSet, read_masks
from diffusionseg.data.places import nearest, there

SPLITS = {"train": "1", "test": "0"}
"""What train_test_split.txt says of an image."""


def find_cub(root: Path) -> list[Path]:
    """The folders that hold images.txt and bounding_boxes.txt at or up to two below a root."""
    return nearest(root, lambda p: (p / "images.txt").is_file() and (p / "bounding_boxes.txt").is_file())


def cub_names(root: Path, split: str | None = None) -> dict[str, str]:
    """Id to name of the images of a split, of all without one."""
    names = _table(root / "images.txt")
    if split is None:
        return names
    if split not in SPLITS:
        raise LayoutError(f"{root}: --split {split}: CUB-200-2011 has train and test")
    side = _table(root / "train_test_split.txt")
    return {key: name for key, name in names.items() if side.get(key) == SPLITS[split]}


def cub_boxes(root: Path, split: str | None = None) -> BoxSet:
    """One box an image; the size comes from the photograph's header."""
    places = _table(root / "bounding_boxes.txt")
    boxes, images, faults = [], {}, []
    for key, name in cub_names(root, split).items():
        path = root / "images" / name
        try:
            if not there(path):
                raise ValueError("listed in images.txt, but not in images/")
            x, y, width, height = (float(v) for v in places.get(key, "").split())
            if not (width > 0 and height > 0 and max(map(abs, (x, y, width, height))) < LARGEST):
                raise ValueError("its box is empty or no box of four numbers")
            box = ObjectBox((x, y, x + width, y + height), name.split("/")[0])
            boxes.append(ImageBoxes(name, *upright_size(path), (box,)))
            images[name] = path
        except ValueError as error:
            faults.append(Fault(name, f"no usable line in bounding_boxes.txt ({error})"))
    return BoxSet(tuple(boxes), images, tuple(faults))


def cub_masks(root: Path, split: str | None = None) -> MaskSet | None:
    """The masks in segmentations/, which is unpacked inside the data set or beside it; None where it is not."""
    folder = next((p for p in (root / "segmentations", root.parent / "segmentations") if p.is_dir()), None)
    if folder is None:
        return None
    found = read_masks(Layout("CUB-200-2011", root / "images", folder))
    return found.only({Path(name).with_suffix("").as_posix() for name in cub_names(root, split).values()})


def _table(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise LayoutError(f"{path}: {error.strerror or error}") from error
    rows = [line.split(maxsplit=1) for line in lines if line.strip()]
    wrong = [" ".join(row) for row in rows if len(row) != 2]
    if wrong:
        raise LayoutError(f"{path}: needs an id and a value on each line, not {wrong[0]!r}")
    return {key: value.strip() for key, value in rows}
