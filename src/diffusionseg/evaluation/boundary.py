"""Boundary F: do the outlines of mask and object run close to each other?

Perazzi et al., "A benchmark dataset and evaluation methodology for video object segmentation", CVPR 2016, the
contour accuracy F, with the outlines and the tolerance of its published code (db_eval_boundary).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 0.008
"""Distance that still matches, in diagonals of the image."""


def boundary_f(mask: NDArray[np.bool_], ground_truth: NDArray[np.bool_], tolerance: float = TOLERANCE) -> float:
    """F = 2PR/(P+R) of outline pixels within ceil(tolerance · diagonal) pixels of the other outline, 0 to 1.

    Both (H, W). Two empty outlines agree (1), one empty outline does not (0).
    """
    one, other = outline(mask), outline(ground_truth)
    if not one.any() or not other.any():
        return float(one.any() == other.any())
    radius = np.ceil(tolerance * np.hypot(*mask.shape))
    precision, recall = _share_near(one, other, radius), _share_near(other, one, radius)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels (H, W) that differ from their neighbour to the right, below, or below to the right."""
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    edge = (mask != padded[:-1, 1:]) | (mask != padded[1:, :-1]) | (mask != padded[1:, 1:])
    edge[-1, -1] = False
    return np.asarray(edge)


def _share_near(one: NDArray[np.bool_], other: NDArray[np.bool_], radius: float) -> float:
    """Share of the pixels of one outline no farther than `radius` pixels from the other."""
    from scipy.spatial import KDTree

    # Pixels beyond the bound get an infinite distance, which spares the search for them.
    distance, _ = KDTree(np.argwhere(other)).query(np.argwhere(one), distance_upper_bound=radius + 1)
    return float((distance <= radius).mean())
