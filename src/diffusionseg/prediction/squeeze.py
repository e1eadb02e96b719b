"""Photographs of any size to what a model reads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def squeeze(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Resize a picture (H, W, 3) uint8 to (side, side, 3), anti-aliased; the aspect ratio is given up."""
    if image.shape[:2] == (side, side):
        return image
    resized: NDArray[np.uint8] = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR))
    return resized
