"""How much each position looks like the named object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]


def min_max(values: Floats) -> Floats:
    """Shift and scale to 0…1; a constant map becomes zero."""
    low, high = values.min(), values.max()
    if high - low <= 1e-12 * max(1.0, abs(high)):
        return np.zeros_like(values)
    scaled: Floats = (values - low) / (high - low)
    return scaled


def otsu_threshold(values: Floats, bins: int = 64) -> float:
    """The threshold that splits values in 0…1 into two classes of largest between-class variance (Otsu 1979).

    Where several are equal, as between two separate peaks, their middle is taken.
    """
    counts, edges = np.histogram(values, bins, (0.0, 1.0))
    centres = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)[:-1].astype(np.float64)
    above = counts.sum() - below
    mass = np.cumsum(counts * centres)[:-1]
    total = float((counts * centres).sum())
    valid = (below > 0) & (above > 0)
    if not valid.any():
        return 0.5
    between = np.full(bins - 1, -1.0)
    difference = mass[valid] / below[valid] - (total - mass[valid]) / above[valid]
    between[valid] = below[valid] * above[valid] * difference**2
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))
    return float(edges[1:-1][best].mean())


def object_probability(attention: Floats, temperature: float, clip: float) -> Floats:
    """p = logistic((f − θ)/τ) of min–max normalised attention f (h, w), θ its Otsu threshold, within [clip, 1 − clip].

    A constant map says nothing and gives one half everywhere.
    """
    scaled = min_max(attention)
    if not scaled.any():
        return np.full(scaled.shape, 0.5)
    probability: Floats = expit((scaled - otsu_threshold(scaled)) / temperature)
    return np.clip(probability, clip, 1 - clip)


def unary_energy(probability: Floats) -> Floats:
    """U (N, 2): column 0 the cost −log(1 − p) of background, column 1 the cost −log p of object, in nats."""
    p = probability.ravel()
    return np.stack([-np.log1p(-p), -np.log(p)], axis=1)
