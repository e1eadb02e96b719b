"""PASCAL VOC as it is unpacked: VOCdevkit/VOC2007 or VOC2012.

Boxes: the XML counts pixels from 1 and names the last one, so (xmin − 1, ymin − 1, xmax, ymax) is the half-open box, as
valeoai/LOST, datasets.py, has it. Difficult objects are marked and kept. Masks: SegmentationClass holds label pictures,
0 background, 1 to 20 classes, 255 void.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

from diffusionseg.data.boxes import LARGEST, BoxSet, ImageBoxes, ObjectBox, is_side
from diffusionseg.data.headers import upright_size
from diffusionseg.data.layouts import Fault, Layout, LayoutError
from diffusionseg.data.pairs import PHOTOGRAPH_PATTERNS, MaskSet, by_stem, read_masks
from diffusionseg.data.places import nearest

DEFAULT_SPLIT = "trainval"
"""The images that the published CorLoc numbers are of."""
MAX_BYTES = 1_000_000
"""Longest annotation file."""


def find_voc(root: Path) -> list[Path]:
    """The folders VOC2007, VOC2012 … that are meant by a root, which may be one of them or lie up to two above."""
    return nearest(root, lambda p: (p / "JPEGImages").is_dir() and (p / "Annotations").is_dir())


def voc_boxes(root: Path, split: str | None = None) -> tuple[str, BoxSet]:
    """(split, boxes) of the images that ImageSets/Main/<split>.txt lists; of all where there is no such folder."""
    photographs, _ = by_stem(root / "JPEGImages", PHOTOGRAPH_PATTERNS)
    names = read_split(root / "ImageSets" / "Main", split)
    stems = sorted(p.stem for p in (root / "Annotations").glob("*.xml")) if names is None else names
    boxes, images, faults = [], {}, []
    for stem in stems:
        try:
            if stem not in photographs:
                raise ValueError("annotated or listed, but not in JPEGImages")
            boxes.append(read_annotation(root / "Annotations" / f"{stem}.xml", photographs[stem]))
            images[photographs[stem].name] = photographs[stem]
        except (OSError, ValueError) as error:
            faults.append(Fault(stem, str(error)))
    return "all" if names is None else split or DEFAULT_SPLIT, BoxSet(tuple(boxes), images, tuple(faults))


def voc_masks(root: Path, split: str | None = None) -> MaskSet | None:
    """The masks that ImageSets/Segmentation/<split>.txt lists, all without such lists; None where a part has none."""
    lists = root / "ImageSets" / "Segmentation"
    if not (root / "SegmentationClass").is_dir() or (split and not (lists / f"{split}.txt").is_file()):
        return None
    found = read_masks(Layout(root.name, root / "JPEGImages", root / "SegmentationClass", partial=True))
    names = read_split(lists, split)
    if names is None:
        return found
    absent = [Fault(name, "listed, but not in SegmentationClass") for name in names if name not in found.masks]
    chosen = found.only(names)
    return replace(chosen, faults=(*chosen.faults, *absent))


def read_split(folder: Path, split: str | None) -> list[str] | None:
    """The names a list of a folder holds; None where no split was asked for and the default is not there."""
    path = folder / f"{split or DEFAULT_SPLIT}.txt"
    if not path.is_file():
        if split is None:
            return None
        others = ", ".join(sorted(p.stem for p in folder.glob("*.txt") if "_" not in p.stem))
        raise LayoutError(f"{path}: no such list; --split takes one of {others or 'none here'}")
    return [line.split()[0] for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]


def read_annotation(path: Path, photograph: Path) -> ImageBoxes:
    """The objects of one XML file. Raises ValueError saying what is wrong with it, document types refused."""
    if not path.is_file():
        raise ValueError(f"{path.name} is missing in Annotations")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    # Entities, which can grow to gigabytes or name other files, need a document type; other encodings could hide it.
    if len(content) > MAX_BYTES or b"\0" in content or b"<!" in content.replace(b"<!--", b""):
        raise ValueError(f"{path.name} is no annotation of VOC: too long, not UTF-8, or with a document type")
    try:
        tree = ET.fromstring(content)
        objects = tuple(_object(element) for element in tree.findall("object"))
        width, height = (int(float(tree.findtext(f"size/{side}", "0"))) for side in ("width", "height"))
    except (ET.ParseError, ValueError, OverflowError) as error:
        raise ValueError(f"{path.name} cannot be read ({error})") from error
    if not (is_side(width) and is_side(height)):
        width, height = upright_size(photograph)
    return ImageBoxes(photograph.name, width, height, objects)


def _object(element: ET.Element) -> ObjectBox:
    x0, y0, x1, y1 = (float(element.findtext(f"bndbox/{side}", "nan")) for side in ("xmin", "ymin", "xmax", "ymax"))
    if not (x0 <= x1 and y0 <= y1 and max(map(abs, (x0, y0, x1, y1))) < LARGEST):
        raise ValueError(f"the box {x0:g} {y0:g} {x1:g} {y1:g} is empty or incomplete")
    difficult = element.findtext("difficult", "0").strip() == "1"
    return ObjectBox((x0 - 1, y0 - 1, x1, y1), element.findtext("name", "").strip(), difficult)
