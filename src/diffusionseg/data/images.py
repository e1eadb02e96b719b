"""Read any picture file upright as RGB, or say by name what is wrong with it."""

from __future__ import annotations

import io
import stat
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from diffusionseg.data.colour import to_rgb
from diffusionseg.data.sniff import why_not_an_image
from diffusionseg.data.strict import strict_pillow

MAX_PIXELS = 100_000_000
"""Pictures above this many pixels are refused from their header alone."""
MAX_SIDE = 65_500
"""Longest side in pixels, the limit of JPEG."""
MIN_SIDE = 8
"""Shortest side in pixels that is still a picture."""
MAX_ASPECT = 100
"""Longest side over shortest side."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "DIB", "PPM", "JPEG2000", "AVIF", "HEIF", "QOI")
"""Formats that are read where the installed Pillow knows them. Pillow's others are left out because they start
programs (EPS), recognise almost any bytes as theirs (TGA) or hold no photographs."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageError(ValueError):
    """A picture that cannot be used; the message begins with its name."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def read_image(
    source: Path | str | bytes | BinaryIO | Image.Image | NDArray[np.uint8],
    *,
    max_pixels: int = MAX_PIXELS,
    name: str | None = None,
) -> Image.Image:
    """Read a picture upright as 8-bit RGB, without metadata.

    EXIF orientation is applied, transparency is laid on white, 16-bit and float grey are scaled to 8 bit, CMYK and
    palettes are converted (embedded colour profiles are not applied), of an animation the first frame is taken. An
    array is (H, W), (H, W, 3) or (H, W, 4) uint8. `max_pixels` above Pillow's own limit (about 179 million) has no
    effect on files. Raises ImageError, naming the file (or `name`) and what is wrong: missing, empty, no picture,
    truncated or damaged, too large, or of an absurd shape. Safe to call from several threads.
    """
    label = name or _label(source)
    try:
        with strict_pillow():
            if isinstance(source, np.ndarray):
                image = _decode(_from_array(source, label), label, max_pixels)
            elif isinstance(source, Image.Image):
                image = _decode(source, label, max_pixels)
            else:
                with _opened(source, label) as file:
                    image = _from_file(file, label, max_pixels)
            return _converted(image, label)
    except MemoryError:
        raise ImageError(label, "does not fit into memory; make the picture smaller first") from None


def _converted(image: Image.Image, label: str) -> Image.Image:
    try:
        picture = to_rgb(image)
    except ValueError as error:
        raise ImageError(label, f"mode {image.mode} cannot be converted ({error}); save it as sRGB PNG") from error
    # Its EXIF data would have it turned upright once more.
    picture.info = {}
    return picture


def _label(source: object) -> str:
    if isinstance(source, str | Path):
        return str(source)
    named = getattr(source, "filename", None) or getattr(source, "name", None)
    return named if isinstance(named, str) and named else "image"


def _opened(source: Path | str | bytes | BinaryIO, label: str) -> BinaryIO | nullcontext[BinaryIO]:
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source)
    if not isinstance(source, str | Path):
        if not hasattr(source, "read"):
            raise TypeError(f"an image is a path, bytes, a file, a PIL image or an array, not {type(source).__name__}")
        # A copy, since Pillow needs to seek and a pipe or socket cannot.
        return io.BytesIO(source.read())
    try:
        mode = Path(source).stat().st_mode
        if stat.S_ISDIR(mode):
            raise ImageError(label, "is a folder, not an image")
        if not stat.S_ISREG(mode):
            raise ImageError(label, "is not a regular file")
        return Path(source).open("rb")
    except FileNotFoundError:
        raise ImageError(label, "no such file; check the path") from None
    except PermissionError:
        raise ImageError(label, "may not be read; check its permissions") from None
    except OSError as error:
        raise ImageError(label, f"cannot be opened ({error.strerror or error})") from error
    except ImageError:
        raise
    except ValueError as error:
        raise ImageError(label, f"is no valid path ({error})") from error


def _from_file(file: BinaryIO, label: str, max_pixels: int) -> Image.Image:
    start = file.read(512)
    if not start:
        raise ImageError(label, "is empty (zero bytes); copy or download it again")
    file.seek(0)
    try:
        with _identified(file) as image:
            _check_size(image, label, max_pixels)
            if image.format == "PNG":
                # Decoding skips the checksums of the pixel data, so flipped bits would pass as a picture.
                image.verify()
                file.seek(0)
                with _identified(file) as again:
                    return _decode(again, label, max_pixels)
            return _decode(image, label, max_pixels)
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise ImageError(label, why_not_an_image(start)) from None
    except Image.DecompressionBombError as error:
        raise ImageError(label, f"more than {max_pixels} pixels ({error}); make it smaller first") from None
    # Damaged files make Pillow raise almost anything: SyntaxError, struct.error, EOFError, OverflowError, KeyError ...
    except Exception as error:
        raise ImageError(label, _damage(error)) from error


def _identified(file: BinaryIO) -> Image.Image:
    # Loading all of Pillow's plug-ins takes longer than reading a photograph: the commonest formats are tried first.
    Image.preinit()
    with suppress(UnidentifiedImageError):
        return Image.open(file, formats=_known())
    Image.init()
    file.seek(0)
    return Image.open(file, formats=_known())


def _known() -> list[str]:
    return [name for name in FORMATS if name in Image.OPEN]


def _damage(error: Exception) -> str:
    what = str(error) or type(error).__name__
    if isinstance(error, EOFError) or "truncated" in what.lower():
        return "is truncated; copy or download it again"
    return f"is damaged ({what}); copy or download it again"


def _from_array(array: NDArray[np.uint8], label: str) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ImageError(
            label, f"an array must be (H, W), (H, W, 3) or (H, W, 4) uint8, got {array.shape} {array.dtype}"
        )
    if array.size == 0:
        raise ImageError(label, f"an array of shape {array.shape} holds no pixel")
    return Image.fromarray(array)


def _check_size(image: Image.Image, label: str, max_pixels: int) -> None:
    width, height = image.size
    shape = f"{width}x{height} pixels"
    if width * height > max_pixels:
        raise ImageError(label, f"{shape} are more than {max_pixels} in all; make it smaller first")
    if min(width, height) < MIN_SIDE:
        raise ImageError(label, f"{shape} are too few; both sides need at least {MIN_SIDE}")
    if max(width, height) > MAX_SIDE:
        raise ImageError(label, f"{shape}: no side may exceed {MAX_SIDE}; make it smaller first")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(label, f"{shape}: one side is over {MAX_ASPECT} times the other; crop it first")


def _decode(image: Image.Image, label: str, max_pixels: int) -> Image.Image:
    _check_size(image, label, max_pixels)
    try:
        image.load()
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        raise ImageError(label, _damage(error)) from error
    orientation = 1
    # The pixels are whole, and a picture is not thrown away for damaged EXIF data.
    with suppress(Exception):
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    transpose = _UPRIGHT.get(orientation)
    return image if transpose is None else image.transpose(transpose)
