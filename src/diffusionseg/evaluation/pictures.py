"""Reading masks and saliency maps from picture files: levels as they were stored, or a refusal, never a guess."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffusionseg.data.grey import read_grey
from diffusionseg.data.images import ImageError
from diffusionseg.data.mask_codings import PROTOCOL, coding_of, object_pixels


def read_mask(path: Path, undecided: str | None = None) -> NDArray[Any]:
    """Ground truth (H, W): True where the object is, as its coding says (0/255, 0/1, labels of VOC, trimaps).

    `undecided`, one of CHOICES, says what grey levels, void and border count as; with `protocol` a grey mask comes as
    its levels (uint8, or float in 0…1), for a protocol to cut. Raises ImageError naming a file that cannot be used, or
    that leaves pixels undecided without such a choice.
    """
    picture = read_grey(path)
    if undecided == PROTOCOL and coding_of(picture).grey:
        return _levels(picture.values)
    try:
        return object_pixels(picture, undecided)
    except ValueError as error:
        raise ImageError(str(path), str(error)) from None


def read_saliency(path: Path, shape: tuple[int, ...]) -> tuple[NDArray[Any], bool]:
    """A predicted map as uint8 levels or float in 0…1 at `shape` (H, W), and whether it had to be resized to it.

    Maps of another size are resized bilinearly (over the area of a pixel when shrinking), as MOVE's evaluation does.
    Raises ImageError naming a file that cannot be used, whose sides are swapped, or that is a mask coded 0/1.
    """
    picture = read_grey(path)
    highest = int(picture.values.max())
    if picture.labels:
        raise ImageError(str(path), "has a palette of labels, no saliency; save the object as white on black")
    if highest == 1 or (picture.top > 255 and 0 < highest <= 255):
        raise ImageError(
            str(path),
            f"has no level above {highest} of {picture.top}: a mask coded 0/{highest}, which is nearly black as a "
            f"saliency map; save it as 0 and {picture.top}",
        )
    values = _levels(picture.values)
    if values.shape == shape:
        return values, False
    if values.shape == shape[::-1]:
        raise ImageError(
            str(path), f"is {_size(values.shape)}, its ground truth {_size(shape)}: it is turned; predict it upright"
        )
    floats = values.astype(np.float32) / (255 if values.dtype == np.uint8 else 1)
    resized = Image.fromarray(floats).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.clip(np.asarray(resized, dtype=np.float64), 0, 1), True


def _levels(values: NDArray[Any]) -> NDArray[Any]:
    return values if values.dtype == np.uint8 else values.astype(np.float64) / 65535


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
