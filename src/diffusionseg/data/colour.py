"""Every pixel format that Pillow decodes, as 8-bit RGB."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def to_rgb(image: Image.Image) -> Image.Image:
    """A decoded picture of any mode as RGB, transparency laid on white. Raises ValueError for a mode without rule."""
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(grey_8_bit(np.asarray(image))).convert("RGB")
    if image.mode in ("La", "RGBa"):
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def grey_8_bit(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Grey of more than 8 bits, (H, W) integer or float, as uint8.

    Integers run to 65535 (what PNG, PGM and camera TIFF mean) or, if there are larger ones, to the largest. Floats run
    to 1, 255, 65535 or their largest value, the first of these that holds them all. Negative values and NaN are black,
    infinity is white.
    """
    if values.dtype.kind in "iub":
        return _scale(values, max(65535.0, float(values.max())))
    finite = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    largest = float(finite.max())
    top = next((t for t in (1.0, 255.0, 65535.0) if largest <= t), largest)
    return _scale(np.where(np.isposinf(values), np.float32(top), finite), top)


def _scale(values: NDArray[Any], top: float) -> NDArray[np.uint8]:
    scaled: NDArray[np.float32] = np.rint(values.astype(np.float32) * np.float32(255 / top))
    return np.clip(scaled, 0, 255).astype(np.uint8)
