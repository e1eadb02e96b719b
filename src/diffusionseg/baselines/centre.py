"""Where a guess without looking finds the object: in the middle."""

from __future__ import annotations

import numpy as np

from diffusionseg.baselines.centred import Floats

SHARE = 0.7
"""Share of both sides that the ellipse at one half covers, above 0."""


def centre(shape: tuple[int, int], share: float = SHARE) -> Floats:
    """A hill of the frame's shape (h, w): 1 in the middle, one half on a centred ellipse over `share` of both sides,
    falling linearly to 0. Ours; every method that looks at the photograph should beat it."""
    if not share > 0:
        raise ValueError(f"share must be above 0, got {share}")
    down, across = ((np.arange(side) + 0.5) / side * 2 - 1 for side in shape)
    radius = np.hypot(down[:, None], across) / share
    return np.clip(1 - radius / 2, 0.0, 1.0)
