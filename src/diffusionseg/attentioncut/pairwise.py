"""How strongly two positions belong together."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Number = TypeVar("Number", bound=np.generic)

PADDING = 24
"""Columns put behind a matrix before it is read down: at a stride of a power of two, columns share few cache lines."""


def pairwise_weights(
    affinity: Floats, grid: tuple[int, int], *, smoothness: float, sigma: float, neighbours: int | None = None
) -> Floats:
    """W = ½(A + Aᵀ) · exp(−d²/2σ²), zero diagonal, scaled to a mean row sum of `smoothness`: (N, N) symmetric.

    affinity: A (N, N). sigma: in positions of a grid 16 wide, stretched with the grid's longer side. neighbours: keep
    only edges that are among this many strongest of either end; None keeps all.
    """
    weights: Floats = affinity + transposed(affinity)
    weights *= _nearness(grid, sigma * max(grid) / 16)
    if neighbours is not None and neighbours < len(weights) - 1:
        weakest = -np.partition(-weights, neighbours - 1, axis=1)[:, neighbours - 1 : neighbours]
        weights = np.where((weights >= weakest) | (weights >= weakest.T), weights, 0.0)
    mean = weights.sum() / len(weights)
    if mean > 0:
        weights *= smoothness / mean
    return weights


@lru_cache(maxsize=4)
def _nearness(grid: tuple[int, int], reach: float) -> Floats:
    """½ exp(−d²/2 reach²) between the positions of a grid (h, w), zero on the diagonal: (N, N), read-only."""
    height, width = grid
    rows, columns = np.divmod(np.arange(height * width), width)
    squared = (rows[:, None] - rows) ** 2.0 + (columns[:, None] - columns) ** 2.0
    near: Floats = np.exp(-squared / (2 * reach**2)) / 2
    np.fill_diagonal(near, 0.0)
    near.flags.writeable = False
    return near


def transposed(matrix: NDArray[Number]) -> NDArray[Number]:
    """A copy of a square matrix's transpose, quicker to read row by row than the transpose itself."""
    padded = np.empty((len(matrix), len(matrix) + PADDING), matrix.dtype)
    padded[:, : len(matrix)] = matrix
    return padded[:, : len(matrix)].T
