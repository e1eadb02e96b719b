"""Quality gate: which synthetic pairs are good enough to train on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffusionseg.attentioncut import rim_share


@dataclass(frozen=True)
class GateConfig:
    """Limits of a pair's measurements."""

    min_area: float = 0.04
    """Smallest share of object pixels, 0 to 1."""
    max_area: float = 0.65
    """Largest share of object pixels, 0 to 1."""
    max_border: float = 0.1
    """Largest share of the image's outermost pixels that the object may cover, 0 to 1."""
    max_ignore: float = 0.5
    """Largest share of undecided pixels, 0 to 1."""
    min_agreement: float = 0.5
    """Smallest intersection over union of the cut and the thresholded cross-attention, 0 to 1."""
    min_confidence: float = 0.0
    """Smallest confidence of the cut, 0 to 1."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise ValueError(f"gate {name} must be in 0 … 1, got {value}")
        if self.min_area >= self.max_area:
            raise ValueError(f"gate min_area must be below max_area, got {self.min_area} and {self.max_area}")


@dataclass(frozen=True)
class Quality:
    """Measurements that the gate looks at, each 0 to 1."""

    area: float
    """Share of object pixels."""
    border: float
    """Share of the outermost pixels that are object."""
    ignore: float
    """Share of undecided pixels."""
    agreement: float
    """Intersection over union of the cut and the thresholded cross-attention."""
    confidence: float
    """Confidence of the cut."""


def measure(mask: NDArray[np.uint8], agreement: float, confidence: float) -> Quality:
    """Measure a pseudo-mask (H, W) of 0 background, 255 object, 128 ignore."""
    inside = mask == 255
    return Quality(
        area=float(inside.mean()),
        border=rim_share(inside),
        ignore=float((mask == 128).mean()),
        agreement=agreement,
        confidence=confidence,
    )


def reject_reason(quality: Quality, config: GateConfig) -> str | None:
    """The first limit that a pair misses, or None for a good pair."""
    checks = (
        ("empty", quality.area == 0),
        ("too small", quality.area < config.min_area),
        ("too large", quality.area > config.max_area),
        ("touches the border", quality.border > config.max_border),
        ("undecided", quality.ignore > config.max_ignore),
        ("attention and cut disagree", quality.agreement < config.min_agreement),
        ("unsure cut", quality.confidence < config.min_confidence),
    )
    return next((reason for reason, missed in checks if missed), None)
