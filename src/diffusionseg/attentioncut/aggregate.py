"""One cross-attention map and one affinity from the maps of several layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diffusionseg.masks import resize, resize_matrix

Floats = NDArray[np.float64]
Grid = tuple[int, int]


def finest_grid(grids: Sequence[Grid]) -> Grid:
    """The grid (h, w) with most positions. Raises ValueError for none."""
    if not grids:
        raise ValueError("no attention map was given")
    return max(grids, key=lambda grid: grid[0] * grid[1])


def map_grid(values: NDArray[np.floating], name: str) -> Grid:
    """The grid (h, w) of a map. Raises ValueError naming the map when it is not of that form."""
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"{name} must be (h, w), got {values.shape}")
    return int(values.shape[0]), int(values.shape[1])


def aggregate_cross(maps: Sequence[NDArray[np.floating]], grid: Grid) -> Floats:
    """Mean of cross-attention maps (h, w) on one grid, each divided by its own mean so that layers count equally.

    Raises ValueError for maps that are empty, negative or not finite.
    """
    if not maps:
        raise ValueError("cross: no map was given")
    total = np.zeros(grid)
    for number, values in enumerate(maps):
        array = np.asarray(values, dtype=np.float64)
        map_grid(array, f"cross[{number}]")
        if not np.isfinite(array).all() or array.min() < 0:
            raise ValueError(f"cross[{number}] must be finite and not negative")
        mean = array.mean()
        total += resize(array / mean if mean > 0 else array, grid)
    return total / len(maps)


def aggregate_self(maps: Sequence[NDArray[np.floating]], grids: Sequence[Grid], grid: Grid) -> Floats:
    """Mean of self-attention maps (h·w, h·w), their rows summing to 1, on one grid: (N, N), rows summing to 1.

    Raises ValueError for maps that do not fit their grid, are negative or not finite.
    """
    if not maps:
        raise ValueError("self_attention: no map was given")
    if len(maps) != len(grids):
        raise ValueError(
            f"grids must give one grid for each of the {len(maps)} maps of self_attention, got {len(grids)}"
        )
    count = grid[0] * grid[1]
    total = np.zeros((count, count))
    for number, (values, own) in enumerate(zip(maps, grids, strict=True)):
        array = np.asarray(values, dtype=np.float64)
        if array.shape != (own[0] * own[1],) * 2:
            raise ValueError(f"self_attention[{number}] must be {own[0] * own[1]} squared, got {array.shape}")
        if not np.isfinite(array).all() or array.min() < 0:
            raise ValueError(f"self_attention[{number}] must be finite and not negative")
        total += _resize_affinity(array, own, grid)
    return _rows_to_one(total)


def _resize_affinity(array: Floats, own: Grid, grid: Grid) -> Floats:
    """Bilinear in both positions; rows are scaled back to sum 1."""
    if own != grid:
        across = np.kron(resize_matrix(own[0], grid[0]).toarray(), resize_matrix(own[1], grid[1]).toarray())
        array = across @ array @ across.T
    return _rows_to_one(array)


def _rows_to_one(array: Floats) -> Floats:
    scaled: Floats = array / array.sum(axis=1, keepdims=True).clip(min=np.finfo(float).tiny)
    return scaled
