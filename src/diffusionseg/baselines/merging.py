"""DiffSeg's way: self-attention maps merged until they are segments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diffusionseg.attentioncut.aggregate import Grid, finest_grid
from diffusionseg.baselines.centred import Floats
from diffusionseg.baselines.segments import main_segment
from diffusionseg.masks import resize

ANCHORS = 16
"""Anchors along each side of the grid, at least 1."""
PUBLISHED_THRESHOLD = 1.1
"""Symmetric Kullback–Leibler divergence in nats below which two maps merge: DiffSeg's, for Stable Diffusion."""
SHARE_OF_MEAN = 0.5
"""The same as a share of the mean divergence of a photograph's positions, above 0."""
ITERATIONS = 3
"""Rounds of merging, at least 1."""
ENLARGE = 8
"""Factor by which merged maps are enlarged before each pixel chooses one."""
_TINY = 1e-12


def merging(
    maps: Sequence[NDArray[np.floating]],
    grids: Sequence[Grid],
    threshold: float | None = None,
    anchors: int = ANCHORS,
) -> Floats:
    """Main segment (`main_segment`) of `segment_by_merging`: (8h, 8w) of 0 and 1."""
    return main_segment(segment_by_merging(aggregate(maps, grids), finest_grid(grids), threshold, anchors))


def aggregate(maps: Sequence[NDArray[np.floating]], grids: Sequence[Grid]) -> Floats:
    """Self-attention (h·w, h·w) of several layers as one (N, N) on their finest grid, rows summing to 1.

    Where positions look is enlarged bilinearly, who looks by repetition; a layer's weight is the side of its grid.
    """
    fine = finest_grid(grids)
    total = np.zeros((fine[0] * fine[1],) * 2)
    for values, grid in zip(maps, grids, strict=True):
        seen = np.moveaxis(np.asarray(values, dtype=np.float64).reshape(-1, *grid), 0, -1)
        # (looking, h, w), rows summing to 1.
        enlarged = np.moveaxis(resize(seen, fine), -1, 0)
        enlarged = enlarged / enlarged.sum(axis=(1, 2), keepdims=True)
        rows, columns = (np.arange(f) * g // f for f, g in zip(fine, grid, strict=True))
        looking = (rows[:, None] * grid[1] + columns).ravel()
        total += grid[0] * enlarged.reshape(len(enlarged), -1)[looking]
    summed: Floats = total / total.sum(axis=1, keepdims=True)
    return summed


def segment_by_merging(
    attention: Floats,
    grid: Grid,
    threshold: float | None = None,
    anchors: int = ANCHORS,
    iterations: int = ITERATIONS,
    enlarge: int = ENLARGE,
) -> NDArray[np.intp]:
    """Segments of a photograph from self-attention (N, N) on a grid (h, w): (enlarge·h, enlarge·w), from 0.

    Every anchor takes the mean of all positions' maps that are near it; then maps near the first one left are merged
    with it, round after round; each pixel belongs to the merged map that is largest there. `threshold` is in nats; None
    takes half the mean divergence of the photograph's own maps, which is ours: how far maps differ depends on the
    generator, and those of a small one never differ by the published threshold, so that one segment would remain.

    Source: Tian et al., "Diffuse, Attend, and Segment" (arXiv 2308.12469) and google/diffseg, diffseg/segmentor.py and
    benchmarks.ipynb (16 × 16 anchors, threshold 1.1, no k-means, timestep 300, no prompt), on grids up to 64 × 64.
    """
    rows, columns = (np.unique(np.linspace(0, side - 1, min(anchors, side)).round().astype(int)) for side in grid)
    chosen = (rows[:, None] * grid[1] + columns).ravel()
    apart = divergence(attention[chosen], attention)
    limit = SHARE_OF_MEAN * float(apart.mean()) if threshold is None else threshold
    near = apart < limit
    # Rounding must not part a map from itself.
    near[np.arange(len(chosen)), chosen] = True
    proposals = near.astype(np.float64) @ attention / near.sum(axis=1, keepdims=True)
    for _ in range(iterations - 1):
        near = divergence(proposals, proposals) < limit
        np.fill_diagonal(near, True)
        merged, taken = [], np.zeros(len(proposals), dtype=bool)
        for number in range(len(proposals)):
            if not taken[number]:
                taken |= near[number]
                merged.append(proposals[near[number]].mean(axis=0))
        proposals = np.stack(merged)
    maps = np.moveaxis(proposals.reshape(-1, *grid), 0, -1)
    return np.asarray(resize(maps, (enlarge * grid[0], enlarge * grid[1])).argmax(axis=-1))


def divergence(first: Floats, second: Floats) -> Floats:
    """½ (KL(p‖q) + KL(q‖p)) in nats of distributions (A, N) and (B, N), each row summing to 1: (A, B)."""
    log_first, log_second = np.log(first + _TINY), np.log(second + _TINY)
    own, other = (first * log_first).sum(axis=1), (second * log_second).sum(axis=1)
    both: Floats = np.maximum(own[:, None] + other - first @ log_second.T - log_first @ second.T, 0.0) / 2
    return both
