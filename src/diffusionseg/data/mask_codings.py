"""How a ground-truth mask says what the object is, and what it leaves undecided.

Two levels are a mask, however they are coded. More of them leave pixels undecided: grey levels, the void of PASCAL VOC,
the border of Oxford's trimaps. Those are object or background by the user's choice only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffusionseg.data.grey import GreyPicture

PROTOCOL = "protocol"
CHOICES = (PROTOCOL, "object", "half", "background")
"""Grey is cut where the protocol of an evaluation says; undecided pixels are object (grey: any level but 0); grey is
object above half; undecided pixels are background (grey: any level but the highest)."""
VOID = 255
"""Label of PASCAL VOC for pixels that belong to nothing."""
CLASSES = 20
"""Highest class of PASCAL VOC."""
OBJECT, BACKGROUND, BORDER = 1, 2, 3
"""Levels of Oxford's trimaps."""

EMPTY = "empty, no object"
"""Name of the coding of a mask without object."""


@dataclass(frozen=True)
class Coding:
    """What was recognised in one mask."""

    name: str
    """In few words."""
    choices: tuple[str, ...] = ()
    """Those of CHOICES that settle what it leaves undecided; empty where nothing is."""
    faint: bool = False
    """Whether its only level but 0 is neither 1 nor white: object, but grey where a choice says what grey is."""

    @property
    def grey(self) -> bool:
        """Whether a protocol may cut it."""
        return self.faint or PROTOCOL in self.choices

    @property
    def question(self) -> str:
        """What has to be decided, and how."""
        return f"{self.name}; decide with --undecided {' or '.join(self.choices)}, or save it as 0 and 255"


def coding_of(picture: GreyPicture) -> Coding:
    """Recognise a mask by its levels."""
    levels = _levels(picture)
    if picture.labels:
        void = VOID in levels
        return Coding("labels of VOC with void (255)", ("object", "background")) if void else Coding("labels of VOC")
    if picture.top == 255 and levels <= {OBJECT, BACKGROUND, BORDER} and levels & {BACKGROUND, BORDER}:
        if BORDER in levels:
            return Coding("trimap with border (1 object, 2 background, 3 border)", ("object", "background"))
        return Coding("trimap (1 object, 2 background)")
    if levels == {0}:
        return Coding(EMPTY)
    if len(levels) == 1:
        return Coding(f"all object ({max(levels)})", faint=max(levels) not in (1, picture.top))
    if len(levels) == 2 and 0 in levels:
        return Coding(f"0/{max(levels)}", faint=max(levels) not in (1, picture.top))
    if 0 not in levels:
        return Coding(f"{len(levels)} grey levels without a background of 0", ("half", "background"))
    if VOID in levels and max(levels - {VOID}) <= CLASSES:
        return Coding(f"{len(levels)} levels that may be labels of VOC with void (255), or grey", ("object",))
    return Coding(f"{len(levels)} grey levels", CHOICES)


def object_pixels(picture: GreyPicture, undecided: str | None = None) -> NDArray[np.bool_]:
    """True where the object is, (H, W). Raises ValueError where the choice does not settle what is undecided."""
    if undecided is not None and undecided not in CHOICES:
        raise ValueError(f"--undecided {undecided}: choose from {', '.join(CHOICES)}")
    coding, values = coding_of(picture), picture.values
    if coding.choices and (undecided not in coding.choices or undecided == PROTOCOL):
        raise ValueError(coding.question)
    if picture.labels:
        return np.asarray((values > 0) & ((values != VOID) | (undecided == "object")))
    if coding.name.startswith("trimap"):
        return np.asarray((values == OBJECT) | ((values == BORDER) & (undecided == "object")))
    if undecided in (None, PROTOCOL, "object") or not (coding.choices or coding.faint):
        return np.asarray(values > 0)
    return np.asarray(values == picture.top if undecided == "background" else values > picture.top / 2)


def _levels(picture: GreyPicture) -> set[int]:
    if picture.values.dtype == np.uint8:
        return {int(level) for level in np.flatnonzero(np.bincount(picture.values.ravel(), minlength=256))}
    return {int(level) for level in np.unique(picture.values)}
