"""From coarse saliency to what a user gets for a photograph."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diffusionseg.attentioncut import ColourCutConfig, refine_by_colour
from diffusionseg.masks import mask_boxes, refine


@dataclass(frozen=True)
class PredictConfig:
    """How saliency becomes mask and boxes."""

    threshold: float = 0.5
    """Saliency above which a pixel is object, 0 to 1."""
    refine: Literal["none", "guided", "bilateral", "cut"] = "cut"
    """Refinement to full resolution: none, guided (filter), bilateral (solver) or cut (along colours and edges)."""
    cut: ColourCutConfig = field(default_factory=ColourCutConfig)
    """Constants of the refinement along colours and edges."""
    multiple: bool = False
    """Boxes of all connected parts instead of the largest alone."""
    min_area: float = 0.005
    """Smallest part that gets a box where there are several, as a share of the image, 0 to 1."""
    flip: bool = False
    """Average with the mirror image; takes twice as long."""
    margins: tuple[float, ...] = (0.0,)
    """One view each, over which saliency is averaged: the photograph with so much of its own mirror image around it, as
    a share of its sides. 0 (the photograph alone) to 0.9."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ValueError(f"--threshold must be between 0 and 1, got {self.threshold}")
        if self.refine not in ("none", "guided", "bilateral", "cut"):
            raise ValueError(f"--refine must be none, guided, bilateral or cut, got {self.refine!r}")
        if not self.margins or not all(0 <= margin <= 0.9 for margin in self.margins):
            raise ValueError(f"--margin must be in 0 … 0.9, at least one, got {self.margins}")
        if not 0 <= self.min_area <= 1:
            raise ValueError(f"min_area must be in 0 … 1, got {self.min_area}")


@dataclass(frozen=True, eq=False)
class Prediction:
    """The main object of one photograph."""

    saliency: NDArray[np.float32]
    """(H, W) in 0…1, of the photograph's size."""
    mask: NDArray[np.bool_]
    """(H, W): saliency above the threshold."""
    boxes: list[tuple[int, int, int, int]]
    """(x0, y0, x1, y1) in pixels, half-open, best first; empty where the mask is."""
    scores: list[float]
    """Mean saliency inside each box's part of the mask, 0…1."""
    image_size: tuple[int, int]
    """(width, height) in pixels."""
    seconds: float
    """Time from the picture in memory to this: its share of the batch, refinement and boxes."""
    threshold: float = 0.5
    """Saliency above which a pixel is object, between 0 and 1."""

    @property
    def alpha(self) -> NDArray[np.float32]:
        """(H, W) in 0…1, opacity for a cut-out: one half at the threshold; below and above it what the saliency is of
        the way to 0 and to 1, threefold, so that what is sure becomes clear or opaque and only the object's edge stays
        between."""
        threshold = np.float32(self.threshold)
        above = self.saliency - threshold
        way = above / np.where(above < 0, threshold, 1 - threshold)
        stretched: NDArray[np.float32] = np.clip(way * np.float32(1.5) + np.float32(0.5), 0, 1)
        return stretched


def make_prediction(
    coarse: NDArray[np.float32], image: NDArray[np.uint8], config: PredictConfig, seconds: float = 0.0
) -> Prediction:
    """Refine coarse saliency (h, w) to the photograph (H, W, 3) and take mask and boxes from it.

    `seconds` is the time that the coarse saliency took.
    """
    started = time.perf_counter()
    prediction = decide(refined(coarse, image, config), config)
    return replace(prediction, seconds=seconds + time.perf_counter() - started)


def refined(coarse: NDArray[np.float32], image: NDArray[np.uint8], config: PredictConfig) -> NDArray[np.float32]:
    """Coarse saliency (h, w) brought to the size of its photograph (H, W, 3) by `config.refine`: (H, W) in 0…1."""
    if config.refine == "cut":
        return refine_by_colour(image, coarse, config.cut)
    return refine(coarse, image, config.refine)


def decide(saliency: NDArray[np.float32], config: PredictConfig) -> Prediction:
    """Mask and boxes of a refined saliency (H, W) in 0…1; `seconds` stays 0."""
    mask = saliency > config.threshold
    boxes, scores = mask_boxes(mask, saliency, multiple=config.multiple, min_area=config.min_area)
    height, width = mask.shape
    return Prediction(saliency, mask, boxes, scores, (width, height), 0.0, config.threshold)
