"""How an encoder learns class names."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class EncoderConfig:
    """How an encoder learns to tell the classes of captioned photographs apart."""

    steps: int = 10_000
    """Optimiser steps, at least 1."""
    batch_size: int = 128
    """Crops in a step, at least 2."""
    learning_rate: float = 4e-3
    """Peak of the cosine schedule that ends at zero, above 0."""
    weight_decay: float = 0.05
    """AdamW's decoupled decay, at least 0."""
    average_decay: float = 0.999
    """Decay a step of the averaged weights, in [0, 1)."""
    smoothing: float = 0.1
    """Share of certainty that goes to all classes alike, 0 to below 1."""
    area: tuple[float, float] = (0.2, 1.0)
    """Range of a crop's share of the photograph, above 0 up to 1; a side that would be longer than the photograph's is
    shortened to it."""
    cutmix: float = 0.5
    """Share of the crops a rectangle of which shows another's (CutMix, Yun et al. 2019, arXiv 1905.04899), 0 to 1."""
    fewest: int = 20
    """Photographs that a class must have to be learnt, at least 1."""

    def __post_init__(self) -> None:
        for name, low in (("steps", 1), ("batch_size", 2), ("fewest", 1)):
            if getattr(self, name) < low:
                raise ValueError(f"encoder {name} must be at least {low}, got {getattr(self, name)}")
        if not 0 < self.learning_rate < math.inf or not 0 <= self.weight_decay < math.inf:
            raise ValueError(
                f"encoder learning_rate must be positive and weight_decay at least 0, both finite, got "
                f"{self.learning_rate} and {self.weight_decay}"
            )
        if not 0 <= self.average_decay < 1 or not 0 <= self.smoothing < 1:
            raise ValueError(
                f"encoder average_decay and smoothing must be in [0, 1), got {self.average_decay} and {self.smoothing}"
            )
        if not 0 <= self.cutmix <= 1:
            raise ValueError(f"encoder cutmix must be in 0…1, got {self.cutmix}")
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise ValueError(f"encoder area must be 0 < low <= high <= 1, got {self.area}")
