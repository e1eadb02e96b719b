"""Guided image filter: smoothing that follows the edges of a guide."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import uniform_filter

from diffusionseg.masks.contracts import real_map
from diffusionseg.masks.resample import resize

Floats = NDArray[np.float64]


BAND = 256
"""Rows of a large photograph that are worked on at a time."""


def guided_filter(guide: ArrayLike, src: ArrayLike, radius: int, eps: float) -> Floats:
    """Filter `src` so that it is, in every window, an affine function of the guide.

    guide: (H, W) or (H, W, 3), in [0, 1]. src: (H, W), any finite values. radius: pixels, >= 1; a window has
    (2 radius + 1)^2 pixels and is clipped at the image's border. eps: > 0, variance of the guide (in squared guide
    units) below which a window counts as flat and is merely averaged.

    Returns (H, W) float64; may leave the range of `src` slightly. Time is linear in H*W whatever the radius.

    Source: He, Sun, Tang, "Guided Image Filtering", TPAMI 2013: eq. (5), (6) and (8) and their colour form.
    """
    image = np.asarray(guide, dtype=np.float64)
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] not in (1, 3) or image.size == 0:
        raise ValueError(f"guide must be (H, W) or (H, W, 3), got {np.shape(guide)}")
    if not (image.min() >= 0 and image.max() <= 1):
        raise ValueError("guide must lie in [0, 1] without NaN")
    values = real_map("src", src, image.shape[:2]).astype(np.float64, copy=False)
    slope, offset = window_coefficients(image, values, radius, eps)
    result: Floats = np.einsum("hwc,hwc->hw", slope, image) + offset  # eq. (8)
    return result


def fast_guided_filter(
    image: NDArray[np.uint8],
    coarse: NDArray[np.floating[Any]],
    copy: NDArray[np.uint8],
    radius: int,
    eps: float = 1e-3,
) -> NDArray[np.float32]:
    """`guided_filter` of a map enlarged to an image (H, W, 3) uint8, fitted on a smaller copy of it.

    coarse: (h, w), any finite values, resized bilinearly. copy: (h', w', 3) uint8. radius: in pixels of the copy, >= 1.
    eps: as there. Returns (H, W) float32. Needs some 10 bytes a pixel and 200 a pixel of the copy, where
    `guided_filter` needs 200 a pixel. Raises ValueError for a radius or an eps out of range.

    Source: He and Sun, "Fast Guided Filter", arXiv 1505.00996.
    """
    height, width = image.shape[:2]
    values = resize(coarse.astype(np.float64, copy=False), copy.shape[:2])
    slope, offset = window_coefficients(copy / 255.0, values, radius, eps)
    coefficients = np.dstack([slope / 255.0, offset]).astype(np.float32)
    result = np.empty((height, width), np.float32)
    for top in range(0, height, BAND):
        rows = slice(top, min(top + BAND, height))
        fitted = resize(coefficients, (height, width), rows)
        result[rows] = np.einsum("hwc,hwc->hw", fitted[:, :, :3], image[rows]) + fitted[:, :, 3]
    return result


def window_coefficients(image: Floats, values: Floats, radius: int, eps: float) -> tuple[Floats, Floats]:
    """Return the averaged slope (H, W, C) and offset (H, W) of the windows that hold each pixel.

    Windows that hold more of the image than others are not weighted more: as in eq. (8), a plain mean.
    Raises ValueError for a radius or an eps out of range.
    """
    if radius < 1:
        raise ValueError(f"radius must be at least 1 pixel, got {radius}")
    if not (eps > 0 and math.isfinite(eps)):
        raise ValueError(f"eps must be positive and finite, got {eps}")
    count = box_sum(np.ones(values.shape), radius)
    channels = range(image.shape[2])
    mean = [box_sum(image[:, :, c], radius) / count for c in channels]
    mean_values = box_sum(values, radius) / count
    cross = [box_sum(image[:, :, c] * values, radius) / count - mean[c] * mean_values for c in channels]
    covariance = {
        (a, b): box_sum(image[:, :, a] * image[:, :, b], radius) / count - mean[a] * mean[b] + eps * (a == b)
        for a in channels
        for b in channels
        if a <= b
    }
    slope = [cross[0] / covariance[0, 0]] if len(channels) == 1 else solve_symmetric(covariance, cross)
    offset = mean_values - sum(s * m for s, m in zip(slope, mean, strict=True))
    averaged = np.stack([box_sum(s, radius) / count for s in slope], axis=-1)
    return averaged, box_sum(offset, radius) / count


def solve_symmetric(matrix: dict[tuple[int, int], Floats], right: list[Floats]) -> list[Floats]:
    """Solve a symmetric 3x3 system at every pixel by cofactors (far faster than LAPACK on a million tiny systems)."""
    xx, xy, xz = matrix[0, 0], matrix[0, 1], matrix[0, 2]
    yy, yz, zz = matrix[1, 1], matrix[1, 2], matrix[2, 2]
    ixx, ixy, ixz = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    iyy, iyz, izz = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    determinant = xx * ixx + xy * ixy + xz * ixz
    x, y, z = right
    return [
        (ixx * x + ixy * y + ixz * z) / determinant,
        (ixy * x + iyy * y + iyz * z) / determinant,
        (ixz * x + iyz * y + izz * z) / determinant,
    ]


def box_sum(values: Floats, radius: int) -> Floats:
    """Sum over the window of each pixel, zeros outside the image, in linear time (up to a constant factor)."""
    result: Floats = uniform_filter(values, size=2 * radius + 1, mode="constant", cval=0.0)
    return result
