"""One image of an export and the objects in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from diffusionseg.masks import EIGHT

OBJECT, IGNORE = 255, 128
"""Levels of a mask; 0 is background."""
Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels, half-open."""


@dataclass(frozen=True, eq=False)
class Item:
    """An image with its mask."""

    number: int
    """Place in the source, from 1; images that cannot be exported count."""
    name: str
    """File name with sub-folders; no two images of a source share it."""
    stem: str
    """Name for further files, without extension; no two images share it either."""
    mask: NDArray[np.uint8]
    """(H, W): 0 background, 255 object, 128 ignore."""
    label: str
    """Class."""
    photograph: Path | bytes | None = None
    """The photograph, or its content."""
    boxes: tuple[tuple[Box, float], ...] = ()
    """Predicted boxes and their scores, best first."""

    @property
    def file(self) -> str:
        """Name of the photograph in formats that match names without extension."""
        return self.stem + PurePosixPath(self.name).suffix


@dataclass(frozen=True, eq=False)
class FoundObject:
    """One object."""

    mask: NDArray[np.bool_]
    """(H, W), not empty."""
    box: Box
    """Around the mask."""
    score: float | None
    """As predicted, 0 to 1; None where nothing was."""


class ClassNames:
    """Classes and their numbers from 1, in the order of their first use after those known before."""

    def __init__(self, known: Iterable[str]) -> None:
        self._numbers = {name: number for number, name in enumerate(dict.fromkeys(known), 1)}

    def number(self, name: str) -> int:
        """The number of a class, a new one for a new class."""
        return self._numbers.setdefault(name, len(self._numbers) + 1)

    def __iter__(self) -> Iterator[str]:
        """The names by number."""
        return iter(self._numbers)


def objects(item: Item, parts: bool = False) -> Iterator[FoundObject]:
    """The mask as one object with the best score, or with `parts` each part whose pixels share edges or corners.

    A part has the score of the predicted box around it, if there is one.
    """
    mask = item.mask == OBJECT
    if not mask.any():
        return
    if not parts:
        yield FoundObject(mask, bounds(mask), item.boxes[0][1] if item.boxes else None)
        return
    scores = dict(item.boxes)
    for part, box in _parts(mask):
        yield FoundObject(part, box, scores.get(box))


def predicted_objects(item: Item) -> Iterator[FoundObject]:
    """Every predicted box with its score and the part of the mask it is around, or else the mask inside the box."""
    mask = item.mask == OBJECT
    wanted = {box for box, _ in item.boxes}
    around = {box: part for part, box in _parts(mask) if box in wanted}
    for box, score in item.boxes:
        part = around.get(box)
        if part is None:
            part = np.zeros_like(mask)
            x0, y0, x1, y1 = (max(0, round(side)) for side in box)
            part[y0:y1, x0:x1] = mask[y0:y1, x0:x1]
        yield FoundObject(part, box, score)


def _parts(mask: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.bool_], Box]]:
    labels, _ = ndimage.label(mask, structure=EIGHT)
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        part = np.zeros_like(mask)
        part[rows, columns] = labels[rows, columns] == number
        yield part, (columns.start, rows.start, columns.stop, rows.stop)


def bounds(mask: NDArray[np.bool_]) -> Box:
    """The box around a mask (H, W) bool that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
