"""What the arrays that enter this room must look like; every error names the argument."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageOps


def rgb_image(name: str, image: ArrayLike | Image.Image) -> NDArray[np.uint8]:
    """Return `image` as (H, W, 3) uint8, or raise ValueError; a PIL image is turned upright as its EXIF data say."""
    if isinstance(image, Image.Image):
        # As where a photograph is read: damaged EXIF data is no reason to refuse it.
        with suppress(Exception):
            image = ImageOps.exif_transpose(image)
    array = np.asarray(image)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or array.size == 0:
        raise ValueError(f"{name} must be (H, W, 3) uint8, got {array.shape} {array.dtype}")
    return array


def unit_map(
    name: str, values: ArrayLike, shape: tuple[int, ...] | None = None
) -> NDArray[np.float32] | NDArray[np.float64]:
    """Return `values` as (H, W) float32 or float64 within [0, 1], or raise ValueError; `shape` is what it must match.

    float32 stays, since a large photograph's map is large; all else becomes float64. Rounding errors up to 1e-5 outside
    the range, as half-way float32 work leaves them, are clipped.
    """
    array = real_map(name, values, shape)
    if array.min() < -1e-5 or array.max() > 1 + 1e-5:
        raise ValueError(f"{name} must lie in [0, 1], got [{array.min():.4g}, {array.max():.4g}]")
    return array.clip(0, 1)


def real_map(
    name: str, values: ArrayLike, shape: tuple[int, ...] | None = None
) -> NDArray[np.float32] | NDArray[np.float64]:
    """Return `values` as (H, W) float32 or float64, finite, or raise ValueError; `shape` is what it must match."""
    array = np.asarray(values)
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "fiub":
        raise ValueError(f"{name} must be a non-empty (H, W) array of numbers, got {array.shape} {array.dtype}")
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} must be {shape[0]} x {shape[1]}, got {array.shape[0]} x {array.shape[1]}")
    result: NDArray[np.float32] | NDArray[np.float64] = array if array.dtype == np.float32 else array.astype(np.float64)
    if not np.isfinite(result).all():
        raise ValueError(f"{name} holds NaN or infinity")
    return result


def bool_mask(name: str, mask: NDArray[Any], shape: tuple[int, ...] | None = None) -> NDArray[np.bool_]:
    """Return `mask` as (H, W) bool, or raise ValueError; numbers are refused, since 0/128/255 would pass as true."""
    array = np.asarray(mask)
    if array.ndim != 2 or array.dtype != np.bool_ or array.size == 0:
        raise ValueError(f"{name} must be (H, W) bool, got {array.shape} {array.dtype}")
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} must be {shape[0]} x {shape[1]}, got {array.shape[0]} x {array.shape[1]}")
    return array
