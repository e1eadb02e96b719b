"""Read any picture file as RGB, or say by name what is wrong with it."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 100_000_000
"""Pictures above this many pixels are refused from their header alone."""
MIN_SIDE = 8
"""Shortest side in pixels that is still a picture."""
MAX_ASPECT = 100
"""Longest side over shortest side."""


class ImageError(ValueError):
    """A picture that cannot be used; the message begins with its name."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def read_image(
    source: Path | str | bytes | BinaryIO | Image.Image | NDArray[np.uint8],
    *,
    max_pixels: int = MAX_PIXELS,
    name: str | None = None,
) -> Image.Image:
    """Read a picture upright as 8-bit RGB.

    EXIF orientation is applied, transparency is laid on white, 16-bit and float grey are scaled to 8 bit, CMYK and
    palettes are converted, of an animation the first frame is taken. Raises ImageError naming the file and what is
    wrong: missing, empty, no picture, truncated or damaged, too large, or of an absurd shape.
    """
    label = name or (str(source) if isinstance(source, str | Path) else "image")
    if isinstance(source, np.ndarray):
        source = _from_array(source, label)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if isinstance(source, Image.Image):
                return _convert(source, label, max_pixels)
            content = _content(source, label)
            with Image.open(io.BytesIO(content)) as image:
                return _convert(image, label, max_pixels)
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(label, "not an image in a known format") from None
    except Image.DecompressionBombError:
        raise ImageError(label, f"more than {max_pixels} pixels") from None
    except MemoryError:
        raise ImageError(label, "does not fit into memory") from None
    # Damaged files make Pillow's decoders raise almost anything: struct.error, SyntaxError, IndexError, KeyError ...
    except Exception as error:
        raise ImageError(label, f"damaged image ({error or type(error).__name__})") from error


def _content(source: Path | str | bytes | BinaryIO, label: str) -> bytes:
    if isinstance(source, bytes):
        content = source
    elif isinstance(source, str | Path):
        try:
            content = Path(source).read_bytes()
        except OSError as error:
            raise ImageError(label, error.strerror or str(error)) from error
    else:
        content = source.read()
    if not content:
        raise ImageError(label, "empty file (zero bytes)")
    return content


def _from_array(array: NDArray[np.uint8], label: str) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ImageError(
            label, f"an array must be (H, W), (H, W, 3) or (H, W, 4) uint8, got {array.shape} {array.dtype}"
        )
    return Image.fromarray(array)


def _convert(image: Image.Image, label: str, max_pixels: int) -> Image.Image:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(label, f"{width}x{height} is more than {max_pixels} pixels; make it smaller first")
    if min(width, height) < MIN_SIDE:
        raise ImageError(label, f"{width}x{height} is too small; both sides need at least {MIN_SIDE} pixels")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(label, f"{width}x{height} is longer than {MAX_ASPECT} times its width")
    image.load()
    upright = ImageOps.exif_transpose(image)
    return _to_rgb(upright)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bit(image)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _eight_bit(image: Image.Image) -> NDArray[np.uint8]:
    """Grey of more than 8 bits: the full 16-bit range where values need it, else the range of the values."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    if image.mode == "F" and values.min() >= 0 and values.max() <= 1:
        top = 1.0
    else:
        top = 65535.0 if values.max() > 255 else 255.0
    return np.clip(np.rint(values / top * 255), 0, 255).astype(np.uint8)
