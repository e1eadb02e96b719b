"""The exact cut of a graph in which every position is joined to every other."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from diffusionseg.attentioncut.mincut import Cut, Floats, FlowGraph, capacity_scale
from diffusionseg.attentioncut.pairwise import transposed

Labels = NDArray[np.bool_]
SourceSide = Callable[[NDArray[np.int64], NDArray[np.int32]], Labels]
ROWS = 64
"""Rows of a matrix that are rounded at a time."""
LARGE = 400
"""Positions from which machine code is worth its making, which takes 5 s and 100 MB once in a process."""


def dense_energy(labels: Labels, unary: Floats, weights: Floats) -> tuple[float, float]:
    """(Σ U_i(y_i), Σ_{i<j} W_ij [y_i ≠ y_j]) of labels (N,), unary (N, 2), symmetric weights (N, N)."""
    chosen = np.where(labels, unary[:, 1], unary[:, 0])
    fewer = labels if 2 * labels.sum() <= len(labels) else ~labels
    return float(chosen.sum()), float(weights[fewer].sum(0)[~fewer].sum())


def dense_min_cut(unary: Floats, weights: Floats) -> Cut:
    """What `min_cut` finds, for weights (N, N) as a matrix; many times quicker.

    Capacities are rounded to integers, after multiplying with the largest power of two by which no sum of a position's
    edges and no pull |U_i(0) − U_i(1)| exceeds 2³⁰ − 1. The labels do not depend on whether Numba is installed (extra
    `fast`), which finds them many times as soon where there are `LARGE` positions or more.

    Raises ValueError as `min_cut` does.
    """
    count = len(unary)
    if unary.shape != (count, 2) or weights.shape != (count, count) or count == 0:
        raise ValueError(f"unary must be (N, 2) and weights (N, N), got {unary.shape} and {weights.shape}")
    rest = weights.sum(1)
    if not (np.isfinite(unary).all() and np.isfinite(rest).all()):
        raise ValueError("unary or weights hold NaN or infinity")
    if weights.min() < 0 or weights.diagonal().any():
        raise ValueError("weights must be not negative, and zero on the diagonal")
    preference = unary[:, 0] - unary[:, 1]
    scale = capacity_scale(max(float(np.abs(preference).max()), float(rest.max())))
    capacity = np.empty(weights.shape, np.int32)
    for top in range(0, count, ROWS):
        capacity[top : top + ROWS] = np.rint(weights[top : top + ROWS] * scale)
    if not np.array_equal(capacity, transposed(capacity)):
        raise ValueError("weights must be symmetric")
    decide = _source_side() if count >= LARGE else dense_source_side
    labels = decide(np.rint(preference * scale).astype(np.int64), capacity)
    # No capacity is rounded by more than a half.
    tolerance = (count + count * (count - 1) / 2) / 2 / scale
    return Cut(labels, sum(dense_energy(labels, unary, weights)), tolerance)


@lru_cache(maxsize=1)
def _source_side() -> SourceSide:
    """`dense_compiled.dense_source_side` where Numba is installed, else the one below."""
    try:
        from diffusionseg.attentioncut.dense_compiled import dense_source_side as compiled
    except ImportError:
        return dense_source_side
    found: SourceSide = compiled
    return found


def dense_source_side(pull: NDArray[np.int64], capacity: NDArray[np.int32]) -> Labels:
    """The fewest positions that the source side of a minimum cut can have: (N,).

    pull: (N,), capacity from the source, or below zero to the sink. capacity: (N, N), symmetric, between positions.

    A position whose pull exceeds the sum of its edges is on the same side of every minimum cut, wherever its neighbours
    are. It can be taken out: its edges become pulls on what is left, in which more positions are then decided. Only
    what no longer can be is left to a maximum flow.

    Source: the first-order persistency of Desmet et al. 1992 (dead-end elimination) for two labels.
    """
    labels, undecided = np.zeros(len(pull), bool), np.ones(len(pull), bool)
    rest = capacity.sum(1, dtype=np.int64)
    while len(decided := np.flatnonzero(undecided & (np.abs(pull) > rest))):
        side = pull[decided] > 0
        labels[decided], undecided[decided] = side, False
        edges = capacity[decided]
        total = edges.sum(0, dtype=np.int64)
        rest = rest - total
        pull = pull + 2 * edges[side].sum(0, dtype=np.int64) - total
    left = np.flatnonzero(undecided)
    if len(left):
        among = np.triu(capacity[np.ix_(left, left)])
        row, column = np.nonzero(among)
        graph = FlowGraph(len(left), row, column)
        graph.restart(among[row, column].astype(np.int64))
        labels[left] = graph.source_side(pull[left])
    return labels
