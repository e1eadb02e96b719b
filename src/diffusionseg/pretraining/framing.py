"""How a photograph of any shape becomes squares to train on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SHARES = (1.0, 0.75)
"""Of the square's side, the longer sides of a photograph that is shown whole."""
CALM = 8.0
"""Mean difference of neighbouring pixels, of 255, up to which an edge can be continued without showing."""
FRAME_SIDE = 512
"""Pixels of the longer side at which a frame is looked for."""
FRAME_TOLERANCE = 24
"""Difference, of 255, up to which a pixel has the colour of a frame."""


def square(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """Centre-crop a picture to a square and resize it to `size`: (S, S, 3) uint8."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((size, size), Image.Resampling.LANCZOS, box=box))


def squares(image: Image.Image, size: int, *, zoom_out: bool) -> list[NDArray[np.uint8]]:
    """The squares of a picture, (S, S, 3) uint8 each: its centre or, with `zoom_out`, all of it at each of `SHARES`,
    where its edges are calm enough to be continued. A crop cuts objects off, which then touch all borders."""
    whole = [] if not zoom_out or _is_framed(image) else [_continued(image, size, share) for share in SHARES]
    return [some for some in whole if some is not None] or [square(image, size)]


def _continued(image: Image.Image, size: int, share: float) -> NDArray[np.uint8] | None:
    """All of the picture, its longer side `share` of the square's, amid its continued edges; None if they are busy."""
    factor = share * size / max(image.size)
    width, height = (max(1, round(side * factor)) for side in image.size)
    small = np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))
    left, top = (size - width) // 2, (size - height) // 2
    edges = []
    if width < size:
        edges += [small[:, 0], small[:, -1]]
    if height < size:
        edges += [small[0], small[-1]]
    if any(np.abs(np.diff(edge.astype(np.float32), axis=0)).max(-1).mean() >= CALM for edge in edges if len(edge) > 1):
        return None
    return np.pad(small, ((top, size - height - top), (left, size - width - left), (0, 0)), mode="edge")


def _is_framed(image: Image.Image) -> bool:
    """Whether a rectangle of other colours lies in one colour, as a photograph on a page does."""
    if max(image.size) > FRAME_SIDE:
        image = image.copy()
        image.thumbnail((FRAME_SIDE, FRAME_SIDE), Image.Resampling.BOX)
    pixels = np.asarray(image).astype(np.int16)
    ring = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    other = np.abs(pixels - np.median(ring, axis=0)).max(-1) > FRAME_TOLERANCE
    rows, columns = (np.flatnonzero(other.mean(axis) > 0.02) for axis in (1, 0))
    if not len(rows) or not len(columns):
        return False
    top, bottom, left, right = rows[0], rows[-1], columns[0], columns[-1]
    if (bottom - top + 1, right - left + 1) == other.shape:
        return False
    inner = other[top : bottom + 1, left : right + 1]
    # Resizing and compression mix its outermost lines with the frame, so the second ones count as well.
    lines = [inner[:2].any(0), inner[-2:].any(0), inner[:, :2].any(1), inner[:, -2:].any(1)]
    return bool(min(line.mean() for line in lines) > 0.7)
