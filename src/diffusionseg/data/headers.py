"""Sizes of photographs from their headers alone."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from PIL import ExifTags, Image

from diffusionseg.data.images import FORMATS, ImageError
from diffusionseg.data.strict import strict_pillow


def upright_size(path: Path) -> tuple[int, int]:
    """(width, height) in pixels as the photograph is seen, its EXIF orientation applied, without decoding it.

    Raises ImageError naming a file that has no such header.
    """
    width, height, orientation = _header(path)
    return (height, width) if orientation in (5, 6, 7, 8) else (width, height)


def stored_upright(path: Path) -> bool:
    """Whether a photograph looks the same to readers that do not apply its EXIF orientation."""
    return _header(path)[2] not in range(2, 9)


def _header(path: Path) -> tuple[int, int, int]:
    """(width, height, EXIF orientation) as stored; raises ImageError naming a file that has no such header."""
    Image.init()
    try:
        with strict_pillow(), Image.open(path, formats=[f for f in FORMATS if f in Image.OPEN]) as image:
            width, height = image.size
            orientation = 1
            # As where the photograph is read: damaged EXIF data is no reason to refuse it.
            with suppress(Exception):
                orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
            return width, height, orientation
    # Damaged files make Pillow raise almost anything.
    except Exception as error:
        raise ImageError(str(path), f"has no header of a picture ({error}); copy or download it again") from error
