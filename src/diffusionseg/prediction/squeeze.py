"""Photographs of any size to the squares that a model reads, and its saliency back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def squeeze(image: NDArray[np.uint8], side: int, border: int = 0) -> NDArray[np.uint8]:
    """Resize a picture (H, W, 3) uint8 to (side, side, 3), anti-aliased; the aspect ratio is given up.

    With a `border`, below a third of `side`, it fills the middle, and so many pixels on each side are its mirror image.
    """
    inner = side - 2 * border
    if image.shape[:2] != (inner, inner):
        image = np.asarray(Image.fromarray(image).resize((inner, inner), Image.Resampling.BILINEAR))
    return np.pad(image, ((border, border), (border, border), (0, 0)), mode="reflect") if border else image


def border_of(margin: float, side: int) -> int:
    """Pixels of a border that is `margin` of what it surrounds, which together are `side` wide."""
    return round(side * margin / (1 + 2 * margin))


def without_border(saliency: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """What saliency (B, h, w) says of a square without a border, `share` of its side: resized to (B, h, w) again."""
    if not share:
        return saliency
    height, width = saliency.shape[1:]
    box = (share * width, share * height, (1 - share) * width, (1 - share) * height)
    inner = [Image.fromarray(one).resize((width, height), Image.Resampling.BILINEAR, box=box) for one in saliency]
    return np.stack([np.asarray(one) for one in inner])
