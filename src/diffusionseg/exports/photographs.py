"""Photographs beside their annotations: copied or linked, and as large as their masks for every reader."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

from PIL import Image

from diffusionseg.data import ImageError, read_image
from diffusionseg.data.headers import stored_upright, upright_size
from diffusionseg.data.strict import strict_pillow
from diffusionseg.exports.items import Item


def place_photograph(item: Item, path: Path, how: str) -> None:
    """Write an item's photograph to `path` by `how`: copy or link; `none` does nothing.

    A photograph that is stored turned, with a note in its EXIF data, is written upright, since many readers do not heed
    that note. Raises ImageError naming a photograph that is missing or not as large as its mask.
    """
    if how == "none":
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if item.photograph is None:
        raise ImageError(item.name, "its photograph is not there; --photographs none exports without")
    if isinstance(item.photograph, bytes):
        if how == "link":
            raise ValueError("--photographs link: a set holds its images inside its shards; take copy or none")
        with strict_pillow(), Image.open(io.BytesIO(item.photograph), formats=["JPEG"]) as image:
            _check_size(item, image.size)
        path.write_bytes(item.photograph)
        return
    if not item.photograph.is_file():
        reason = f"its photograph {item.photograph} is not there; name the folder with --images, or --photographs none"
        raise ImageError(item.name, reason)
    _check_size(item, upright_size(item.photograph))
    if not stored_upright(item.photograph):
        _write_upright(item, item.photograph, path)
    elif how == "link":
        path.symlink_to(item.photograph.resolve())
    else:
        shutil.copyfile(item.photograph, path)


def _check_size(item: Item, size: tuple[int, int]) -> None:
    height, width = item.mask.shape
    if size != (width, height):
        reason = f"its photograph is {size[0]}x{size[1]}, its mask {width}x{height}; take the photograph it was made of"
        raise ImageError(item.name, reason)


def _write_upright(item: Item, source: Path, path: Path) -> None:
    image = read_image(source)
    options: dict[str, Any] = {"quality": 95, "subsampling": 0} if path.suffix.lower() in (".jpg", ".jpeg") else {}
    try:
        image.save(path, **options)
    except (ValueError, OSError) as error:
        path.unlink(missing_ok=True)
        raise ImageError(item.name, f"is stored turned and cannot be written upright ({error})") from error
