"""Oxford-IIIT Pet: images/ and annotations/trimaps/, whose levels are 1 object, 2 background, 3 border.

The boxes in annotations/xmls are of heads and are not read.
"""

from __future__ import annotations

from pathlib import Path

from diffusionseg.data.layouts import Layout
from diffusionseg.data.pairs import MaskSet, read_masks
from diffusionseg.data.places import nearest
from diffusionseg.data.voc import read_split


def find_pets(root: Path) -> list[Path]:
    """The folders that hold annotations/trimaps at or up to two below a root."""
    return nearest(root, lambda p: (p / "images").is_dir() and (p / "annotations" / "trimaps").is_dir())


def pets_masks(root: Path, split: str | None = None) -> MaskSet:
    """The trimaps of annotations/<split>.txt (trainval, test), of all images without a split."""
    found = read_masks(Layout("Oxford-IIIT Pet", root / "images", root / "annotations" / "trimaps"))
    names = None if split is None else read_split(root / "annotations", split)
    return found if names is None else found.only(names)
