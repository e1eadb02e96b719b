"""Reading masks and saliency maps from picture files: levels as they were stored, or a refusal, never a guess."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffusionseg.data import ImageError
from diffusionseg.data.strict import strict_pillow

FORMATS = ("PNG", "BMP", "TIFF", "GIF", "PPM", "WEBP")
"""No JPEG: its levels are not those that were stored."""
MAX_PIXELS = 100_000_000
"""Pictures above this many pixels are refused from their header."""


def read_mask(path: Path) -> NDArray[np.bool_]:
    """Ground truth (H, W): True where a pixel is not zero. Raises ImageError naming a file that cannot be used."""
    values = _read_grey(path)
    return np.asarray(values > 0)


def read_saliency(path: Path, shape: tuple[int, ...]) -> tuple[NDArray[Any], bool]:
    """A predicted map as uint8 levels or float in 0…1 at `shape` (H, W), and whether it had to be resized to it.

    Maps of another size are resized bilinearly (over the area of a pixel when shrinking), as MOVE's evaluation does.
    Raises ImageError naming a file that cannot be used, or whose sides are swapped.
    """
    values = _read_grey(path)
    if values.shape == shape:
        return values, False
    if values.shape == shape[::-1]:
        raise ImageError(
            str(path), f"is {_size(values.shape)}, its ground truth {_size(shape)}: it is turned; predict it upright"
        )
    floats = values.astype(np.float32) / (255 if values.dtype == np.uint8 else 1)
    resized = Image.fromarray(floats).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.clip(np.asarray(resized, dtype=np.float64), 0, 1), True


def _read_grey(path: Path) -> NDArray[Any]:
    """(H, W): uint8 levels, or float64 in 0…1 for 16-bit files."""
    try:
        with strict_pillow(), Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ImageError(str(path), f"{_size(image.size[::-1])} are more than {MAX_PIXELS} pixels")
            return _levels(image, path)
    except ImageError:
        raise
    # Damaged files make Pillow raise almost anything.
    except Exception as error:
        raise ImageError(str(path), f"cannot be read as a mask or saliency map ({error})") from error


def _levels(image: Image.Image, path: Path) -> NDArray[Any]:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return np.asarray(image).astype(np.float64) / 65535
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    if image.mode in ("P", "RGB", "LA", "RGBA", "PA"):
        rgba = np.asarray(image.convert("RGBA"))
        if (rgba[..., 3] == 255).all() and (rgba[..., :1] == rgba[..., 1:3]).all():
            return rgba[..., 0]
        if image.mode == "P":
            raise ImageError(str(path), "has a palette of colours; save the object as white on black")
        raise ImageError(str(path), "is a colour or transparent picture; a mask or saliency map is grey")
    raise ImageError(str(path), f"has mode {image.mode}; save it as 8-bit grey")


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
