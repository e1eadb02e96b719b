"""DiffCut's way: recursive normalised cuts of a soft graph of features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffusionseg.baselines.centred import Floats
from diffusionseg.baselines.normalised_cut import ncut_values, second_eigenvector, unit_features
from diffusionseg.baselines.segments import main_segment
from diffusionseg.masks import resize

ALPHA = 10.0
"""Exponent of the affinity, at least 1."""
TAU = 0.5
"""Normalised cut below which a part is divided further, 0 to 2."""
THRESHOLDS = 100
"""Places at which an eigenvector may be split, at least 1."""
ENLARGE = 8
"""Factor by which features are enlarged before each pixel chooses a segment."""


def ncut_affinity(features: Floats, grid: tuple[int, int], alpha: float = ALPHA, tau: float = TAU) -> Floats:
    """Main segment (`main_segment`) of DiffCut's segments of features (N, C) on a grid (h, w): (8h, 8w) of 0 and 1.

    Source: Couairon et al., "DiffCut" (arXiv 2406.02842) and PaulCouairon/DiffCut, diffcut/recursive_normalized_cut.py
    (α = 10, τ = 0.5; timestep 50, empty prompt, features that the encoder's last self-attention layer gives). Their
    third step is here: enlarged features join the segment whose mean feature is most alike. Ours: the layer is the
    encoder's last one of at least 196 positions, and there is no PAMR.
    """
    parts = recursive_cut(cosine_affinity(features, alpha), tau)
    unit = unit_features(features)
    means = unit_features(np.stack([unit[parts == part].mean(axis=0) for part in range(parts.max() + 1)]))
    fine = (ENLARGE * grid[0], ENLARGE * grid[1])
    return main_segment((resize(unit.reshape(*grid, -1), fine) @ means.T).argmax(axis=-1))


def cosine_affinity(features: Floats, alpha: float = ALPHA) -> Floats:
    """Cosine similarities of features (N, C), min–max normalised, to the power α: (N, N) symmetric in 0…1."""
    unit = unit_features(features)
    similarity = unit @ unit.T
    low, high = similarity.min(), similarity.max()
    scaled: Floats = ((similarity - low) / max(high - low, 1e-12)) ** alpha
    return (scaled + scaled.T) / 2


def recursive_cut(affinity: Floats, tau: float = TAU, thresholds: int = THRESHOLDS) -> NDArray[np.intp]:
    """Part, from 0, of each position: parts are cut in two at the best split of their second eigenvector as long as
    that cut's value within the part is below τ. affinity: (N, N) symmetric, not negative."""
    parts = np.zeros(len(affinity), dtype=np.intp)
    waiting = [np.arange(len(affinity))]
    number = 0
    while waiting:
        members = waiting.pop()
        above = best_split(affinity[np.ix_(members, members)], tau, thresholds)
        if above is None:
            parts[members] = number
            number += 1
        else:
            waiting += [members[above], members[~above]]
    return parts


def best_split(weights: Floats, tau: float, thresholds: int) -> NDArray[np.bool_] | None:
    """Which positions lie above the split of least normalised cut: (N,); None where that is not below τ."""
    if len(weights) < 2:
        return None
    vector = second_eigenvector(weights)
    levels = np.linspace(0.99 * vector.min(), 0.99 * vector.max(), thresholds)
    partitions = (vector > levels[:, None]).astype(np.float64)
    values = ncut_values(partitions, weights)
    best = int(np.argmin(values))
    return partitions[best] > 0 if values[best] < tau else None
