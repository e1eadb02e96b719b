"""What is right and wrong with a data set as it lies on disk: partners, sizes, codings of masks, boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from diffusionseg.data.boxes import BoxSet, ImageBoxes
from diffusionseg.data.datasets import Dataset
from diffusionseg.data.grey import read_grey
from diffusionseg.data.headers import upright_size
from diffusionseg.data.images import ImageError, read_image
from diffusionseg.data.layouts import NUMBERS, Fault
from diffusionseg.data.mask_codings import EMPTY, coding_of
from diffusionseg.data.pairs import MaskSet, first

OUTSIDE = 1.0
"""Pixels that a box may lie outside its image, as roundings leave them."""


@dataclass
class Findings:
    """What a check found."""

    pairs: int = 0
    """Masks, with their photographs where there are any."""
    boxes: int = 0
    """Images with an entry of boxes."""
    objects: int = 0
    """Boxes of all images."""
    difficult: int = 0
    """Those that are marked as difficult."""
    sizes: set[tuple[int, int]] = field(default_factory=set)
    """(width, height) in pixels of the photographs, or of the masks where there are none."""
    codings: Counter[str] = field(default_factory=Counter)
    """Number of masks of each coding."""
    empty: list[str] = field(default_factory=list)
    """Masks without object."""
    faults: list[Fault] = field(default_factory=list)
    """Everything that cannot be used, by file."""

    def notes(self, dataset: Dataset) -> list[str]:
        """What may be meant so, and should be known."""
        whole = NUMBERS.get(dataset.name)
        notes = []
        if whole and dataset.masks and dataset.split == "all" and self.pairs != whole:
            notes.append(f"{dataset.name} as published has {whole} pairs")
        if dataset.masks and not dataset.masks.images:
            notes.append("no photographs beside the masks, so their sizes are not compared")
        if self.empty:
            notes.append(f"{len(self.empty)} masks hold no object ({first(self.empty)})")
        return notes


def check(
    dataset: Dataset,
    *,
    undecided: str | None = None,
    deep: bool = False,
    report: Callable[[int, int], None] = lambda *_: None,
) -> Findings:
    """Look at every file: masks are decoded, of photographs only the header is read unless `deep`.

    `undecided` is the choice with which the masks will be evaluated; without it those that need one are faults. A
    fault does not stop the check. `report` is called with files done and in all.
    """
    found, masks, boxes = Findings(), dataset.masks, dataset.boxes
    work: list[Callable[[], None]] = []
    photographs: set[Path] = set()
    if masks is not None:
        found.faults += masks.faults
        found.pairs = len(masks.pairs() if masks.images else masks.masks)
        work += [partial(_mask, found, masks, stem, undecided) for stem in sorted(masks.masks)]
        photographs |= {pair.image for pair in masks.pairs()}
    if boxes is not None:
        found.faults += boxes.faults
        found.boxes = len(boxes.boxes)
        work += [partial(_boxes, found, boxes, entry) for entry in boxes.boxes]
        photographs |= set(boxes.images.values())
    if deep:
        work += [partial(_photograph, found, path) for path in sorted(photographs)]
    for number, look in enumerate(work, 1):
        try:
            look()
        except ImageError as error:
            found.faults.append(Fault(error.path, error.reason))
        report(number, len(work))
    found.faults = list(dict.fromkeys(found.faults))
    return found


def _mask(found: Findings, masks: MaskSet, stem: str, undecided: str | None) -> None:
    path = masks.masks[stem]
    picture = read_grey(path)
    height, width = picture.values.shape
    coding = coding_of(picture)
    found.codings[coding.name] += 1
    if coding.name == EMPTY:
        found.empty.append(stem)
    if coding.choices and undecided not in coding.choices:
        found.faults.append(Fault(str(path), coding.question))
    photograph = masks.images.get(stem)
    size = upright_size(photograph) if photograph else (width, height)
    found.sizes.add(size)
    if size != (width, height):
        turned = "turned: " if size == (height, width) else ""
        reason = (
            f"{turned}is {width}x{height}, its photograph {size[0]}x{size[1]}; take the mask of this very photograph"
        )
        found.faults.append(Fault(str(path), reason))


def _boxes(found: Findings, boxes: BoxSet, entry: ImageBoxes) -> None:
    found.objects += len(entry.objects)
    found.difficult += sum(o.difficult for o in entry.objects)
    for o in entry.objects:
        x0, y0, x1, y1 = o.box
        if min(x0, y0) < -OUTSIDE or x1 > entry.width + OUTSIDE or y1 > entry.height + OUTSIDE:
            reason = f"its box {[x0, y0, x1, y1]} lies outside of {entry.width}x{entry.height}; correct the annotation"
            found.faults.append(Fault(entry.image, reason))
    photograph = boxes.images.get(entry.image)
    if photograph is None:
        return
    size = upright_size(photograph)
    found.sizes.add(size)
    if size != (entry.width, entry.height):
        reason = f"is {size[0]}x{size[1]}, its boxes are of {entry.width}x{entry.height}; take the annotated photograph"
        found.faults.append(Fault(str(photograph), reason))


def _photograph(found: Findings, path: Path) -> None:
    found.sizes.add(read_image(path).size)
