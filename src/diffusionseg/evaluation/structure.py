"""S-measure: how alike saliency and object are in structure.

Fan, Cheng, Liu, Li and Borji, "Structure-measure: a new way to evaluate foreground maps", ICCV 2017; conventions of
PySODMetrics 1.6. Names are those of the paper: SM saliency (H, W) float in 0…1, GT object (H, W) bool.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EPS = float(np.spacing(1.0))
ALPHA = 0.5
"""Weight of the object score against the region score, 0 to 1 (section 3.3)."""


def s_measure(sm: NDArray[np.float64], gt: NDArray[np.bool_], alpha: float = ALPHA) -> float:
    """S = α S_o + (1 − α) S_r, 0 to 1, equation 9; without object 1 − mean SM, without background mean SM."""
    share = float(gt.mean())
    if share == 0:
        return float(1 - sm.mean())
    if share == 1:
        return float(sm.mean())
    return max(0.0, alpha * s_object(sm, gt) + (1 - alpha) * s_region(sm, gt))


def s_object(sm: NDArray[np.float64], gt: NDArray[np.bool_]) -> float:
    """Object-aware similarity S_o, equations 5 to 8: contrast and evenness inside and outside, weighted by area."""
    mu = float(gt.mean())
    return mu * _likeness(sm[gt]) + (1 - mu) * _likeness(1 - sm[~gt])


def s_region(sm: NDArray[np.float64], gt: NDArray[np.bool_]) -> float:
    """Region-aware similarity S_r, equation 4: SSIM of the four blocks around the object's centre, weighted by area."""
    height, width = gt.shape
    rows, columns = np.count_nonzero(gt, axis=1), np.count_nonzero(gt, axis=0)
    number = rows.sum()
    # The pixel of the centre belongs to the upper left block, as in the authors' code.
    y = int(np.round((rows * np.arange(height)).sum() / number)) + 1
    x = int(np.round((columns * np.arange(width)).sum() / number)) + 1
    score = 0.0
    for block in np.s_[:y, :x], np.s_[:y, x:], np.s_[y:, :x], np.s_[y:, x:]:
        if gt[block].size:
            score += gt[block].size / gt.size * ssim(sm[block], gt[block])
    return score


def ssim(x: NDArray[np.float64], y: NDArray[np.bool_]) -> float:
    """Structural similarity of two blocks, equation 2; 1 where both are constant and one of them 0, or alike."""
    n = x.size
    mean_x, mean_y = float(x.mean()), float(y.mean())
    from_x, from_y = x - mean_x, y - mean_y
    var_x, var_y, cov = (
        (a * b).sum() / (n - 1 + EPS) for a, b in ((from_x, from_x), (from_y, from_y), (from_x, from_y))
    )
    above = 4 * mean_x * mean_y * cov
    below = (mean_x**2 + mean_y**2) * (var_x + var_y)
    if above != 0:
        return float(above / (below + EPS))
    return 1.0 if below == 0 else 0.0


def _likeness(x: NDArray[np.float64]) -> float:
    """2 x̄ / (x̄² + 1 + σ_x), equation 6 with λ = ½ as in the authors' code."""
    mean = float(x.mean())
    sigma = float(x.std(ddof=1)) if x.size > 1 else 0.0
    return 2 * mean / (mean**2 + 1 + sigma + EPS)
