"""One entry to every data set: what a folder is, its masks and its boxes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from diffusionseg.data.boxes import BoxSet, ImageBoxes, read_box_lines
from diffusionseg.data.coco_boxes import coco_boxes, find_coco, find_list
from diffusionseg.data.cub import cub_boxes, cub_masks, find_cub
from diffusionseg.data.layouts import MASK_FOLDERS, Fault, LayoutError, known_name, recognise
from diffusionseg.data.pairs import (
    MASK_PATTERNS,
    WITHOUT_IMAGE,
    WITHOUT_MASK,
    MaskSet,
    by_stem,
    masks_below,
    masks_folder,
    read_masks,
    refuse_faults,
)
from diffusionseg.data.pets import find_pets, pets_masks
from diffusionseg.data.places import there
from diffusionseg.data.voc import find_voc, voc_boxes, voc_masks

BOX_LINES = "boxes.jsonl"
"""File of boxes in a data set of our own form."""


@dataclass(frozen=True)
class Dataset:
    """A data set as it lies on disk; it has masks, boxes or both."""

    name: str
    """As published, or after its folders."""
    root: Path
    """Where it was found, which may be below the folder that was asked for."""
    layout: str
    """The folders and files that were recognised."""
    split: str
    """Part of the data set; `all` where it has no parts or none was asked for."""
    masks: MaskSet | None = None
    """Ground-truth masks."""
    boxes: BoxSet | None = None
    """Boxes of the objects."""


def open_dataset(root: Path, split: str | None = None) -> Dataset:
    """Recognise a data set and list what it holds; no picture is decoded.

    `split` is the name of a list of VOC, CUB-200-2011 or Oxford-IIIT Pet, and for COCO a file with ids or names. Files
    that do not fit are listed as faults. Raises LayoutError where nothing or several things are recognised.
    """
    if not root.exists():
        raise LayoutError(f"{root}: no such folder")
    if (voc := _one(root, find_voc(root))) is not None:
        chosen, boxes = voc_boxes(voc, split)
        return Dataset(voc.name, voc, "JPEGImages/ + Annotations/", chosen, voc_masks(voc, split), boxes)
    if (cub := _one(root, find_cub(root))) is not None:
        masks, layout = cub_masks(cub, split), "images/ + bounding_boxes.txt"
        layout += "" if masks is None else " + segmentations/"
        return Dataset("CUB-200-2011", cub, layout, split or "all", masks, cub_boxes(cub, split))
    if found := find_coco(root):
        return _coco(root, found, split)
    if (pets := _one(root, find_pets(root))) is not None:
        return Dataset(
            "Oxford-IIIT Pet", pets, "images/ + annotations/trimaps/", split or "all", pets_masks(pets, split)
        )
    if split is not None:
        raise LayoutError(f"{root}: --split {split}: this data set has no lists of parts")
    return _lines(root) or _masks(root)


def read_boxes(path: Path, split: str | None = None) -> list[ImageBoxes]:
    """The annotated objects of images: a boxes.jsonl, or the root of a data set that has boxes.

    `split` is a part of it as in `open_dataset`. Raises LayoutError naming what is missing or cannot be read.
    """
    if split is None and not path.is_dir() and not find_coco(path):
        return read_box_lines(path)
    dataset = open_dataset(path, split)
    if dataset.boxes is None:
        raise LayoutError(f"{path}: {dataset.name} has masks and no boxes")
    refuse_faults(path, dataset.boxes.faults)
    if not dataset.boxes.boxes:
        raise LayoutError(f"{path}: holds no image")
    return list(dataset.boxes.boxes)


def find_masks(directory: Path, split: str | None = None) -> list[tuple[str, Path]]:
    """(stem with sub-folders, file) of every ground-truth mask.

    `directory` holds the masks themselves or is the root of a data set in a known layout; `split` is a part of it as in
    `open_dataset`. Raises LayoutError where there is none, several sets, JPEG masks, or two masks of one name.
    """
    if split is not None:
        dataset = open_dataset(directory, split)
        if dataset.masks is None:
            raise LayoutError(f"{directory}: {split} of {dataset.name} has boxes and no masks")
        return _masks_alone(directory, dataset.masks)
    for roots, masks_of in ((find_voc(directory), voc_masks), (find_cub(directory), cub_masks)):
        root = _one(directory, roots)
        found = masks_of(root) if root else None
        if found is not None:
            return _masks_alone(directory, found)
    return masks_below(directory)


def _masks_alone(directory: Path, found: MaskSet) -> list[tuple[str, Path]]:
    # Masks are scored without their photographs.
    refuse_faults(directory, [f for f in found.faults if f.reason not in (WITHOUT_IMAGE, WITHOUT_MASK)])
    return sorted(found.masks.items())


def _one(root: Path, found: list[Path]) -> Path | None:
    if len(found) > 1:
        raise LayoutError(f"{root}: holds several sets ({', '.join(map(str, found))}); name one")
    return found[0] if found else None


def _coco(root: Path, annotations: list[Path], split: str | None) -> Dataset:
    listed = None if root.is_file() else find_list(root, split)
    # COCO20k is a part of train2014.
    chosen = [p for p in annotations if "train2014" in p.name] if listed and len(annotations) > 1 else annotations
    path = _one(root, chosen)
    if path is None:
        raise LayoutError(f"{root}: {listed} lists images, but there is no instances_train2014.json")
    name = "COCO20k" if listed and "20k" in listed.name else "COCO"
    return Dataset(name, root, path.name, listed.name if listed else "all", boxes=coco_boxes(path, listed))


def _lines(root: Path) -> Dataset | None:
    if not (root / BOX_LINES).is_file():
        return None
    boxes = tuple(read_box_lines(root / BOX_LINES))
    images = {b.image: p for b in boxes for p in (root / "images" / b.image, root / b.image) if there(p)}
    faults = [Fault(b.image, "annotated, but not in images/") for b in boxes if b.image not in images]
    return Dataset(root.resolve().name, root, BOX_LINES, "all", boxes=BoxSet(boxes, images, tuple(faults)))


def _masks(root: Path) -> Dataset:
    """A layout with masks, or where there is none a folder of masks alone."""
    try:
        layout = recognise(root)
    except LayoutError:
        folder = masks_folder(root)
        masks, faults = by_stem(folder, MASK_PATTERNS)
        named = folder.name.casefold() in MASK_FOLDERS
        if not masks or not (named or any(path.parent == folder for path in masks.values())):
            raise
        alone = MaskSet({}, masks, tuple(faults))
        return Dataset(known_name(folder) or folder.name, folder, "masks without photographs", "all", alone)
    around = Path(os.path.commonpath([layout.images, layout.masks]))
    places = dict.fromkeys(f"{place.relative_to(around).as_posix()}/" for place in (layout.images, layout.masks))
    return Dataset(layout.name, around, " + ".join(places).replace("./", "side by side"), "all", read_masks(layout))
