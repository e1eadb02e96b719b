"""Sums whose value does not depend on the order of adding or on how the terms were split up."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SCALE = 2.0**40
"""Terms are rounded to multiples of 1/SCALE, below 1e-12, so that integers can be added, which is exact."""
MAX_TERMS = 2**22
"""Terms, each at most 1, that 64 bits hold with room to spare: four million images."""


@dataclass
class ExactSum:
    """Sum of terms in 0…1, numbers or arrays of one shape. Merging parts in any order gives the same bits."""

    terms: int = 0
    """Number of terms."""
    total: NDArray[np.int64] = field(default_factory=lambda: np.zeros((), dtype=np.int64))
    """Sum in units of 1/SCALE."""

    def add(self, term: float | NDArray[np.float64]) -> None:
        """Add one term."""
        self._add(1, np.rint(np.asarray(term, dtype=np.float64) * SCALE).astype(np.int64))

    def merge(self, other: ExactSum) -> None:
        """Add all terms of another sum."""
        self._add(other.terms, other.total)

    def mean(self) -> NDArray[np.float64]:
        """Mean of the terms; at least one is needed."""
        return np.asarray(self.total / SCALE / self.terms)

    def _add(self, terms: int, total: NDArray[np.int64]) -> None:
        if self.terms + terms > MAX_TERMS:
            raise OverflowError(f"more than {MAX_TERMS} images in one evaluation")
        self.terms += terms
        self.total = np.asarray(self.total + total)
