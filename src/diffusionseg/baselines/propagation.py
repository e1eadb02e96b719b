"""Dataset-Diffusion's way: cross-attention spread along powers of self-attention."""

from __future__ import annotations

from diffusionseg.baselines.centred import Floats, centred

POWER = 4
"""Exponent k, at least 0."""
THRESHOLD = 0.6
"""Of the min–max normalised map, 0 to 1."""


def propagation(cross: Floats, affinity: Floats, power: int = POWER, threshold: float = THRESHOLD) -> Floats:
    """A^k c: cross-attention (h, w) spread k times along self-attention (N, N), N = h·w, rows summing to 1: (h, w).

    Source: Nguyen et al., "Dataset Diffusion" (arXiv 2309.14303), which takes k = 4, calls what lies above 0.6 object
    and ignores 0.5 to 0.6 in training. Ours: nothing is ignored, and the threshold becomes one half (`centred`).
    """
    if power < 0:
        raise ValueError(f"power must be at least 0, got {power}")
    if affinity.shape != (cross.size, cross.size):
        raise ValueError(f"affinity must be {cross.size} squared, got {affinity.shape}")
    spread = cross.ravel()
    for _ in range(power):
        spread = affinity @ spread
    return centred(spread.reshape(cross.shape), threshold)
