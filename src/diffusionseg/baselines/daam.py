"""DAAM's way: cross-attention of the class name, thresholded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diffusionseg.attentioncut.aggregate import finest_grid, map_grid
from diffusionseg.baselines.centred import Floats, centred
from diffusionseg.masks import resize

THRESHOLD = 0.4
"""Of the min–max normalised map, 0 to 1."""


def daam(cross: Sequence[NDArray[np.floating]], threshold: float = THRESHOLD) -> Floats:
    """Mean of the cross-attention maps of all layers, one (h, w) a layer, on the finest of their grids: (h, w) in 0…1.

    Source: Tang et al., "What the DAAM" (arXiv 2210.04885) and castorini/daam, daam/trace.py (mean over heads, layers
    and steps, without weights), daam/run/daam_to_mask.py (threshold). Ours: maps are enlarged bilinearly, not
    bicubically and clamped; a photograph is read at a few timesteps, where DAAM reads all steps of its own image; the
    threshold becomes one half (`centred`).
    """
    grid = finest_grid([map_grid(values, f"cross[{number}]") for number, values in enumerate(cross)])
    heat = np.mean([resize(np.asarray(values, dtype=np.float64), grid) for values in cross], axis=0)
    return centred(heat, threshold)
