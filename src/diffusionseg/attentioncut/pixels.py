"""From object probabilities to a pseudo-mask with an ignore band."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BACKGROUND, IGNORE, OBJECT = 0, 128, 255


def pseudo_mask(soft: NDArray[np.floating], band: tuple[float, float]) -> NDArray[np.uint8]:
    """(H, W) uint8: 255 at and above the band, 0 below it, 128 (ignore) inside."""
    low, high = band
    return np.select([soft >= high, soft < low], [OBJECT, BACKGROUND], IGNORE).astype(np.uint8)
