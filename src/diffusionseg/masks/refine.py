"""Saliency at the model's grid to saliency at the photograph's size."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from diffusionseg.masks.bilateral import BilateralSystem, bilateral_system, solve_bilateral
from diffusionseg.masks.bilateral_config import BilateralConfig
from diffusionseg.masks.contracts import rgb_image, unit_map
from diffusionseg.masks.guided import fast_guided_filter, guided_filter
from diffusionseg.masks.resample import resize

RefineMethod = Literal["none", "guided", "bilateral"]

WORKING_SIDE = 1024
"""Longer side in pixels above which filters always work on a smaller copy: the saliency is far coarser than that."""
FITTED_REACH = 2
"""Radius in pixels of the guided filter above which it is fitted on a smaller copy, with this radius or less."""


def refine(
    saliency: ArrayLike,
    image: ArrayLike,
    method: RefineMethod = "guided",
    *,
    radius: float = 0.5,
    eps: float = 1e-3,
    bilateral: BilateralConfig | BilateralSystem | None = None,
) -> NDArray[np.float32]:
    """Bring a saliency (h, w) in [0, 1] of any size to the size of `image` (H, W, 3) uint8, along its edges.

    method: "none" resizes bilinearly; "bilateral" then applies bilateral_solver, "guided" the guided filter, fitted
    on a smaller copy where the photograph or the window is large.
    radius: of the guided filter, in cells of the given saliency, > 0 (at least 1 pixel, at most 1/8 of the image's
    shorter side). eps: of the guided filter. bilateral: constants of the bilateral solver, or the system of this very
    image's `working_copy`, made before for several maps.

    Returns (H, W) float32 in [0, 1].
    """
    if method not in get_args(RefineMethod):
        raise ValueError(f"method must be one of {', '.join(get_args(RefineMethod))}, got {method!r}")
    if not 0 < radius < np.inf:
        raise ValueError(f"radius must be positive and finite, got {radius}")
    pixels = rgb_image("image", image)
    coarse = unit_map("saliency", saliency).astype(np.float64, copy=False)
    height, width = pixels.shape[:2]
    shrink = _shrink(height, width)
    full: NDArray[np.floating[Any]]
    if method == "guided":
        cell = max(height / coarse.shape[0], width / coarse.shape[1])
        reach = max(1, round(min(radius * cell, min(height, width) / 8)))
        subsample = max(shrink, math.ceil(reach / FITTED_REACH))
        if subsample == 1:
            full = guided_filter(pixels / 255.0, resize(coarse, (height, width)), reach, eps)
        else:
            copy = _smaller(pixels, subsample)
            full = fast_guided_filter(pixels, coarse, copy, max(1, round(reach / subsample)), eps)
    elif method == "bilateral":
        if not isinstance(bilateral, BilateralSystem):
            bilateral = bilateral_system(working_copy(pixels), bilateral)
        full = _enlarge(solve_bilateral(bilateral, resize(coarse, bilateral.shape)), height, width)
    else:
        full = _enlarge(coarse, height, width)
    clipped: NDArray[np.float32] = np.clip(full, 0.0, 1.0, out=full).astype(np.float32, copy=False)
    return clipped


def working_copy(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image (H, W, 3) that the bilateral solver works on: itself, or the smaller copy of a large one."""
    shrink = _shrink(*image.shape[:2])
    return image if shrink == 1 else _smaller(image, shrink)


def _smaller(image: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    size = (max(1, width // times), max(1, height // times))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def _shrink(height: int, width: int) -> int:
    return math.ceil(max(height, width) / WORKING_SIDE)


def _enlarge(saliency: NDArray[np.floating[Any]], height: int, width: int) -> NDArray[np.float32]:
    return resize(saliency.astype(np.float32), (height, width))
