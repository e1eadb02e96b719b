"""Weighted F-measure: errors count by where they lie.

Margolin, Zelnik-Manor and Tal, "How to evaluate foreground maps?", CVPR 2014; conventions of PySODMetrics 1.6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EPS = float(np.spacing(1.0))
SIDE, SIGMA = 7, 5.0
"""Window and standard deviation, in pixels, of the Gaussian that spreads errors over the object."""
HALF_LIFE = 5.0
"""Distance in pixels from the object over which the extra weight of a false detection comes half way to its limit."""


def weighted_f(d: NDArray[np.float64], g: NDArray[np.bool_], beta_squared: float = 1.0) -> float:
    """F^w of detection D (H, W) in 0…1 against G (H, W) bool, 0 to 1, equations 11 to 14; 0 without object."""
    if not g.any():
        return 0.0
    from scipy import ndimage

    rows, columns = ndimage.distance_transform_edt(~g, return_distances=False, return_indices=True)
    height, width = g.shape
    error = np.abs(d - g)
    # Pixels outside take the error of the object's nearest pixel, so that its edge is not softened from outside.
    spread = error.ravel()[rows * width + columns]
    y, x = np.arange(height, dtype=rows.dtype)[:, None], np.arange(width, dtype=rows.dtype)
    distance = np.sqrt(((rows - y) ** 2 + (columns - x) ** 2)[~g])
    kernel = np.exp(-((np.arange(SIDE) - SIDE // 2) ** 2) / (2 * SIGMA**2))
    for axis in (0, 1):
        spread = ndimage.correlate1d(spread, kernel / kernel.sum(), axis=axis, mode="constant")
    inside = np.minimum(error, spread)[g]
    outside = error[~g] * (2 - np.exp(np.log(0.5) / HALF_LIFE * distance))
    true_positive = g.sum() - inside.sum()
    recall = 1 - inside.mean()
    precision = true_positive / (true_positive + outside.sum() + EPS)
    return float((1 + beta_squared) * recall * precision / (recall + beta_squared * precision + EPS))
