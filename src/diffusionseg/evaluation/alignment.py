"""E-measure: alignment of a mask with the object, of pixels and of the whole at once.

Fan, Gong, Cao, Ren, Cheng and Borji, "Enhanced-alignment measure for binary foreground map evaluation", IJCAI 2018;
conventions of PySODMetrics 1.6. A mask has only four kinds of pixels, so counts suffice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EPS = float(np.spacing(1.0))


def e_measure(positive: NDArray[np.intp], true: NDArray[np.intp], objects: int, pixels: int) -> NDArray[np.float64]:
    """Q = Σ φ / (pixels − 1), equation 5, for masks with `positive` pixels of which `true` lie on the object: (masks,).

    A perfect mask gives pixels / (pixels − 1), as the authors' code does. Without object φ is 1 on the mask's
    background, without background on the mask.
    """
    n = max(pixels - 1, 1)
    if objects == 0:
        return (pixels - positive) / (n + EPS)
    if objects == pixels:
        return positive / (n + EPS)
    mu_fm, mu_gt = positive / pixels, objects / pixels
    parts = (
        (true, 1 - mu_fm, 1 - mu_gt),
        (positive - true, 1 - mu_fm, -mu_gt),
        (objects - true, -mu_fm, 1 - mu_gt),
        (pixels - positive - objects + true, -mu_fm, -mu_gt),
    )
    return np.asarray(sum(number * _enhanced(phi_fm, phi_gt) for number, phi_fm, phi_gt in parts) / (n + EPS))


def _enhanced(phi_fm: NDArray[np.float64], phi_gt: float) -> NDArray[np.float64]:
    """φ = ¼ (1 + ξ)² with ξ = 2 φ_GT φ_FM / (φ_GT² + φ_FM²), equations 2 to 4."""
    xi = 2 * phi_fm * phi_gt / (phi_fm**2 + phi_gt**2 + EPS)
    return np.asarray((xi + 1) ** 2 / 4)
