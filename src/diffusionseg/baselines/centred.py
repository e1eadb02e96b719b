"""A map with a threshold of its own as a saliency, whose threshold is one half."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffusionseg.attentioncut.unary import min_max

Floats = NDArray[np.float64]


def centred(values: Floats, threshold: float) -> Floats:
    """Min–max normalised values (h, w), stretched on either side so that `threshold` (0…1, open) becomes one half.

    What a paper's threshold parts is what accuracy and IoU see, and maxFβ still has every other threshold to choose
    from. A constant map becomes zero.
    """
    if not 0 < threshold < 1:
        raise ValueError(f"threshold must be between 0 and 1, got {threshold}")
    scaled = min_max(values)
    stretched: Floats = np.where(
        scaled <= threshold, 0.5 * scaled / threshold, 0.5 + 0.5 * (scaled - threshold) / (1 - threshold)
    )
    return stretched
