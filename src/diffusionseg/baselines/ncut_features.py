"""TokenCut's way: one normalised cut of a binary graph of features."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from diffusionseg.baselines.centred import Floats
from diffusionseg.baselines.normalised_cut import second_eigenvector, unit_features

TAU = 0.2
"""Cosine similarity above which two positions are joined, −1 to 1."""
EPS = 1e-5
"""Weight of an edge between positions that are not joined, above 0, so that the graph is connected."""


def ncut_features(features: Floats, grid: tuple[int, int], tau: float = TAU, eps: float = EPS) -> Floats:
    """The part of a photograph that one normalised cut of its features (N, C) on a grid (h, w) sets apart: 0 or 1.

    The eigenvector is split at its mean; the object is the side of its entry of largest size, and of that side the part
    that is connected to this entry over the edges of positions. Returns (h, w).

    Source: Wang et al., "TokenCut" (arXiv 2209.00383) and YangtaoWANG95/TokenCut,
    unsupervised_saliency_detection/object_discovery.py (τ = 0.2, ε = 1e-5). Ours: the features are the keys of the
    generator's last self-attention layer of at most 1024 positions, where TokenCut has those of a DINO transformer; the
    constants are TokenCut's, not fitted to them.
    """
    unit = unit_features(features)
    vector = second_eigenvector(np.where(unit @ unit.T > tau, 1.0, eps))
    side = (vector > vector.mean()).reshape(grid)
    parts, _ = ndimage.label(side)
    seed = np.unravel_index(np.argmax(np.abs(vector)), grid)
    return np.asarray(side & (parts == parts[seed]), dtype=np.float64)
