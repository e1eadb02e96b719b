"""A prediction and its ground truth from disk, in the form that the chosen protocols need."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffusionseg.data.strict import strict_pillow
from diffusionseg.evaluation.pictures import read_mask, read_saliency


@dataclass(frozen=True)
class MaskPair:
    """Files of one image."""

    stem: str
    """Name without extension, with sub-folders."""
    mask: Path
    """Ground truth."""
    prediction: Path | None
    """Saliency map or mask, None where there is none: nothing was found."""


def read_ground_truth(path: Path, undecided: str | None = None) -> NDArray[Any]:
    """Ground truth (H, W): bool, or with `undecided` `protocol` the levels of a grey one, for the protocol to cut.

    Raises ImageError as `read_mask` does: a mask that leaves pixels undecided without a choice is refused.
    """
    return read_mask(path, undecided)


def read_prediction(path: Path | None, shape: tuple[int, ...]) -> tuple[NDArray[Any], bool]:
    """Prediction at `shape` (H, W), empty for None, and whether it had to be resized to it."""
    return (np.zeros(shape, dtype=np.uint8), False) if path is None else read_saliency(path, shape)


def resized_as_levels(path: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    """Prediction resized to `shape` (H, W) as 8-bit levels, bilinearly, as MOVE's evaluation does."""
    with strict_pillow(), Image.open(path) as image:
        own = (image.height, image.width)
    stored, _ = read_saliency(path, own)
    if stored.dtype != np.uint8:
        return read_saliency(path, shape)[0]
    return np.asarray(Image.fromarray(stored).resize((shape[1], shape[0]), Image.Resampling.BILINEAR))
