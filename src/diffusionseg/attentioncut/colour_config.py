"""Constants of the cut along colours and edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ColourCutConfig:
    """Constants of the colour cut."""

    side: int = 128
    """Longer side in pixels at which the cut is made, at least 8."""
    fine: int = 256
    """Longer side in pixels, at most, at which its edge is drawn once more, where that is at least half as large again
    as the size of the cut; at least 8."""
    coarse: int = 64
    """Longer side in pixels at which it is begun where the working size is at least half as large again, at least 8."""
    prior: float = 1.0
    """Weight of the saliency's log-odds, 0 to 1000: about 1 for a decoder that is right most of the time, less for one
    that often is not."""
    colour: float = 1.0
    """Weight of the colours' log-likelihood ratio, at least 0."""
    smoothness: float = 8.0
    """Cost in nats of parting two neighbours of equal colour, at least 0."""
    margin: float = 0.1
    """Share of each side, 0 to 0.45, along the photograph's border that is background at first: few photographers let
    the main object run out of the frame."""
    border: float = 3.0
    """Cost in nats of an object pixel in the margin, at least 0."""
    clusters: int = 5
    """Gaussians of the object's and of the background's colours, at least 1."""
    iterations: int = 5
    """Rounds of colour models and cut, at most, at the size at which it is begun; at least 1."""
    finish: int = 1
    """Rounds at the working size, at most, where the cut was begun at `coarse`; at least 1."""
    band: int = 3
    """Pixels of the working size on either side of the edge that are decided anew at `fine`, at least 1."""
    fine_smoothness: float = 4.0
    """Cost in nats of parting two neighbours of equal colour at `fine`, at least 0: half of `smoothness` at twice the
    size makes an edge as costly as before, in which four times as many pixels have a say."""
    clip: float = 0.02
    """Saliency is kept this far from 0 and 1, above 0 and below 0.5."""
    trust: float = 2 / 3
    """Share of the cut in the refined saliency, above 0.5 and at most 1."""

    def __post_init__(self) -> None:
        if not 0 <= self.prior <= 1000:
            raise ValueError(f"--prior must be in 0 … 1000, got {self.prior}")
        for name in ("colour", "smoothness", "fine_smoothness", "border"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"colour cut {name} must be at least 0 and finite, got {getattr(self, name)}")
        for name in ("side", "coarse", "fine", "clusters", "iterations", "finish", "band"):
            least = 8 if name in ("side", "coarse", "fine") else 1
            if getattr(self, name) < least:
                raise ValueError(f"colour cut {name} must be at least {least}, got {getattr(self, name)}")
        if not 0 <= self.margin <= 0.45:
            raise ValueError(f"colour cut margin must be in 0 … 0.45, got {self.margin}")
        if not 0 < self.clip < 0.5:
            raise ValueError(f"colour cut clip must be between 0 and 0.5, got {self.clip}")
        if not 0.5 < self.trust <= 1:
            raise ValueError(f"colour cut trust must be above 0.5 and at most 1, got {self.trust}")
