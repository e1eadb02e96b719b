"""Bilinear resizing of arrays as two small matrices."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Float = TypeVar("Float", bound=np.floating[Any])


def resize_matrix(source: int, target: int) -> sparse.csr_array:
    """Return the (target, source) matrix that resizes a line of samples bilinearly; its rows sum to 1.

    Sample i covers [i, i + 1) and sits at i + 1/2, as in Pillow and in PyTorch with `align_corners=False`. When the
    line gets shorter the triangle is stretched by the ratio (anti-aliasing); at the ends its weights are renormalised.

    Raises ValueError unless both lengths are at least 1.
    """
    if source < 1 or target < 1:
        raise ValueError(f"source and target must be at least 1, got {source} and {target}")
    ratio = source / target
    reach = max(1.0, ratio)
    centre = (np.arange(target) + 0.5) * ratio
    width = int(np.ceil(2 * reach)) + 1
    column = np.floor(centre - reach).astype(np.int64)[:, None] + np.arange(width)
    weight = np.maximum(0.0, 1.0 - np.abs(column + 0.5 - centre[:, None]) / reach)
    weight[(column < 0) | (column >= source)] = 0.0
    weight /= weight.sum(axis=1, keepdims=True)
    row = np.broadcast_to(np.arange(target)[:, None], column.shape)
    kept = weight > 0
    return sparse.csr_array((weight[kept], (row[kept], column[kept])), shape=(target, source))


def resize(array: NDArray[Float], size: tuple[int, int], rows: slice = slice(None)) -> NDArray[Float]:
    """Resize (H, W) or (H, W, C) to `size` = (height, width), bilinear, anti-aliased when shrinking.

    The floating dtype is kept. Values stay within the range of the input. `rows` asks for these rows of the result
    alone, so that a very large one can be made in bands.
    """
    if array.ndim not in (2, 3) or array.dtype.kind != "f":
        raise ValueError(f"array must be (H, W) or (H, W, C) floating, got {array.shape} {array.dtype}")
    if array.shape[:2] == tuple(size):
        return array[rows].copy()
    down = resize_matrix(array.shape[0], size[0])[rows].astype(array.dtype)
    across = resize_matrix(array.shape[1], size[1]).astype(array.dtype)
    height, channels = down.shape[0], array.shape[2:]
    tall = (down @ array.reshape(array.shape[0], -1)).reshape(height, array.shape[1], -1)
    wide = across @ np.ascontiguousarray(tall.transpose(1, 0, 2)).reshape(array.shape[1], -1)
    result = wide.reshape(size[1], height, -1).transpose(1, 0, 2)
    resized: NDArray[Float] = np.ascontiguousarray(result).reshape(height, size[1], *channels)
    return resized
