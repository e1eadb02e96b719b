"""Pictures of one channel as they were stored: grey levels, or labels of a palette; no level is guessed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffusionseg.data.images import ImageError
from diffusionseg.data.strict import strict_pillow

FORMATS = ("PNG", "BMP", "TIFF", "GIF", "PPM", "WEBP")
"""No JPEG: its levels are not those that were stored."""
MAX_PIXELS = 100_000_000
"""Pictures above this many pixels are refused from their header."""


@dataclass(frozen=True)
class GreyPicture:
    """A mask, a saliency map or a picture of labels."""

    values: NDArray[Any]
    """(H, W): uint8 or uint16."""
    top: int
    """The level of white: 255, or 65535 of 16 bits."""
    labels: bool = False
    """Whether the values are labels, which the palette of PASCAL VOC colours, and no levels."""


def read_grey(path: Path) -> GreyPicture:
    """Raises ImageError naming a file that is damaged, coloured, transparent or too large."""
    try:
        with strict_pillow(), Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ImageError(str(path), f"{image.width}x{image.height} are more than {MAX_PIXELS} pixels")
            if image.format != "PNG":
                return _picture(image, path)
            # Decoding skips the checksums of the pixel data.
            image.verify()
        with strict_pillow(), Image.open(path, formats=FORMATS) as image:
            return _picture(image, path)
    except ImageError:
        raise
    # Damaged files make Pillow raise almost anything.
    except Exception as error:
        raise ImageError(str(path), f"cannot be read as a mask or saliency map ({error})") from error


def _picture(image: Image.Image, path: Path) -> GreyPicture:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return GreyPicture(np.asarray(image).astype(np.uint16), 65535)
    if image.mode in ("1", "L"):
        return GreyPicture(np.asarray(image.convert("L")), 255)
    if image.mode in ("P", "RGB", "LA", "RGBA", "PA"):
        rgba = np.asarray(image.convert("RGBA"))
        if (rgba[..., 3] == 255).all() and (rgba[..., :1] == rgba[..., 1:3]).all():
            return GreyPicture(rgba[..., 0], 255)
        if image.mode == "P":
            return _labels(np.asarray(image), rgba, path)
        raise ImageError(str(path), "is a colour or transparent picture; a mask or saliency map is grey")
    raise ImageError(str(path), f"has mode {image.mode}; save it as 8-bit grey")


def _labels(values: NDArray[np.uint8], rgba: NDArray[np.uint8], path: Path) -> GreyPicture:
    # Void, 255, has other colours in some devkits; all other labels must have those of VOC.
    if (voc_palette()[values] == rgba[..., :3]).all(axis=-1)[values != 255].all():
        return GreyPicture(values, 255, labels=True)
    raise ImageError(
        str(path), "has a palette of colours that is not PASCAL VOC's; save the object as white on black, as 8-bit grey"
    )


def voc_palette() -> NDArray[np.uint8]:
    """The 256 colours of label pictures, (256, 3)."""
    return voc_colours(np.arange(256))


def voc_colours(labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Colours (N, 3) of labels (N) below 2^24 as PASCAL VOC's devkit makes them, no two the same: bits 0, 3, 6 … of a
    label are the highest ones of red, bits 1, 4, 7 … of green, bits 2, 5, 8 … of blue."""
    channels = [sum((labels >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(8)) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)
