"""Folder layouts of data sets with masks: as they are published, and as people have them after unpacking."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from diffusionseg.data.places import inside, levels


class LayoutError(ValueError):
    """A data set that cannot be used as it lies there; the message begins with its path."""


@dataclass(frozen=True)
class Fault:
    """Something in a data set that cannot be used."""

    file: str
    """File or name that is concerned."""
    reason: str
    """What is wrong with it."""


@dataclass(frozen=True)
class Layout:
    """Where the photographs and the masks of a data set lie."""

    name: str
    """Name of the data set, or of the two folders where those could be anybody's."""
    images: Path
    """Folder of the photographs."""
    masks: Path
    """Folder of the masks; may be that of the photographs."""
    partial: bool = False
    """Whether only some of the photographs have a mask."""


PUBLISHED = (
    ("DUTS-TE", "DUTS-TE-Image", "DUTS-TE-Mask"),
    ("DUTS-TR", "DUTS-TR-Image", "DUTS-TR-Mask"),
    ("DUT-OMRON", "DUT-OMRON-image", "pixelwiseGT-new-PNG"),
    ("DUT-OMRON", "DUT-OMRON-image", "DUT-OMRON-gt-pixelwise.zip/pixelwiseGT-new-PNG"),
    ("ECSSD", "images", "ground_truth_mask"),
    ("PASCAL-S", "datasets/imgs/pascal", "datasets/masks/pascal"),
    ("CUB-200-2011", "images", "segmentations"),
    ("CUB-200-2011", "CUB_200_2011/images", "segmentations"),
    ("Oxford-IIIT Pet", "images", "annotations/trimaps"),
    ("PASCAL VOC", "JPEGImages", "SegmentationClass"),
)
"""(name, folder of photographs, folder of masks) that no other data set has; upper and lower case do not matter."""

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "im")
MASK_FOLDERS = ("masks", "mask", "gt", "gts", "ground_truth_mask", "ground_truth", "groundtruth", "ground-truth")
"""Folders as re-packed sets name them (`imgs` and `gt` are also those of HKU-IS): the name of the set is told by the
folder around them. A folder of photographs without one of masks may hold the masks itself."""

NUMBERS = {
    "ECSSD": 1000,
    "DUTS-TE": 5019,
    "DUTS-TR": 10553,
    "DUT-OMRON": 5168,
    "PASCAL-S": 850,
    "HKU-IS": 4447,
    "SOD": 300,
    "CUB-200-2011": 11788,
}
"""Pairs of the whole data set as it is published."""


def recognise(root: Path) -> Layout:
    """The layout of a data set. Raises LayoutError for none or several."""
    found = candidates(root)
    if not found:
        known = ", ".join(f"{i}/ + {m}/" for _, i, m in PUBLISHED)
        raise LayoutError(
            f"{root}: no known layout; it needs one of {known}, images/ + masks/ (or image, imgs, img, im and mask, "
            "gt, ground_truth …), or one folder with JPEG photographs and their PNG masks side by side"
        )
    if len(found) > 1:
        names = ", ".join(f"{layout.name} in {layout.masks}" for layout in found)
        raise LayoutError(f"{root}: holds several sets ({names}); name one")
    return found[0]


def candidates(root: Path) -> list[Layout]:
    """The layouts that `root` or, where it has none, a folder at most two below has."""
    for level in levels(root):
        found = [layout for folder in level for layout in _layouts_of(folder)]
        if found:
            return found
    return _side_by_side(root, root) if root.is_dir() else []


def known_name(root: Path) -> str | None:
    """The data set that a folder, or else the one around it, is named after."""
    place = root.resolve()
    for folder in (place, place.parent):
        for name in NUMBERS:
            if _letters(folder.name) == _letters(name):
                return name
    return None


def _layouts_of(folder: Path) -> list[Layout]:
    found = {}
    for name, images, masks in PUBLISHED:
        place, truth = inside(folder, images), inside(folder, masks)
        if place and truth:
            # Some tools unpack an archive into a second folder of its own name.
            place = inside(place, place.name) or place
            found[place, truth] = Layout(name, place, truth, partial=name == "PASCAL VOC")
    taken = {truth for _, truth in found}
    places = [p for p in (inside(folder, name) for name in IMAGE_FOLDERS) if p]
    truths = [p for p in (inside(folder, name) for name in MASK_FOLDERS) if p and p not in taken]
    for place in places:
        for truth in truths:
            found[place, truth] = Layout(known_name(folder) or f"{place.name} and {truth.name}", place, truth)
    return list(found.values()) or [layout for place in places for layout in _side_by_side(place, folder)]


def _side_by_side(place: Path, around: Path) -> list[Layout]:
    with os.scandir(place) as entries:
        names = [Path(entry.name) for entry in entries if not entry.name.startswith(".")]
    photographs = {p.stem for p in names if p.suffix.lower() in (".jpg", ".jpeg")}
    if not any(p.stem in photographs for p in names if p.suffix.lower() == ".png"):
        return []
    return [Layout(known_name(around) or f"{place.name}, side by side", place, place)]


def _letters(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())
