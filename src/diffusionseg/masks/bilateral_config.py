"""Constants of the bilateral solver."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BilateralConfig:
    """Constants of the solver; the defaults are TOKENCUT."""

    sigma_spatial: float = 16.0
    """Side of a grid cell in pixels, > 0."""
    sigma_luma: float = 16.0
    """Extent of a grid cell in luma, 8-bit levels, > 0."""
    sigma_chroma: float = 8.0
    """Extent of a grid cell in either chroma, 8-bit levels, > 0."""
    smoothness: float = 256.0
    """Weight lambda of smoothness against fidelity to the target, >= 0."""
    diagonal_min: float = 1e-5
    """Floor of the preconditioner's diagonal, > 0."""
    rtol: float = 1e-5
    """Relative residual at which conjugate gradients stop, > 0."""
    max_iterations: int = 25
    """Most iterations of conjugate gradients, >= 1; reaching them is no error, the result is then nearly solved."""
    balancing_iterations: int = 10
    """Iterations that make the blur bistochastic, >= 1."""
    confidence: float = 0.999
    """Trust in the target where the caller gives none, in (0, 1]."""

    def __post_init__(self) -> None:
        for name in ("sigma_spatial", "sigma_luma", "sigma_chroma", "diagonal_min", "rtol"):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")
        if not 0 <= self.smoothness < np.inf:
            raise ValueError(f"smoothness must be at least 0 and finite, got {self.smoothness}")
        for name in ("max_iterations", "balancing_iterations"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.confidence <= 1:
            raise ValueError(f"confidence must be in (0, 1], got {self.confidence}")


TOKENCUT = BilateralConfig(
    sigma_spatial=16.0,
    sigma_luma=16.0,
    sigma_chroma=8.0,
    smoothness=256.0,
    diagonal_min=1e-5,
    rtol=1e-5,
    max_iterations=25,
    balancing_iterations=10,
    confidence=0.999,
)
"""The constants of YangtaoWANG95/TokenCut, unsupervised_saliency_detection/bilateral_solver.py and get_saliency.py,
which later methods (FOUND, MOVE) took over."""
