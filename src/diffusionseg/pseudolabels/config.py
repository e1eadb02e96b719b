"""Which photographs become pairs, and how they are labelled."""

from __future__ import annotations

from dataclasses import dataclass, field

from diffusionseg.attentioncut import ColourCutConfig
from diffusionseg.synthesis import GateConfig


@dataclass(frozen=True)
class PseudolabelConfig:
    """How photographs are labelled and which of them are kept."""

    gate: GateConfig = field(default_factory=GateConfig)
    """Limits of a pair; its agreement is the intersection over union of the decoder's mask and the colour cut's."""
    cut: ColourCutConfig | None = None
    """Constants of the colour cut; None for those that the decoder predicts with."""
    min_stability: float = 0.7
    """Smallest overlap (IoU) of the colour cut with those of varied constants, 0 to 1; 0 does not look."""
    max_side: int = 256
    """Longer side in pixels that larger photographs are stored at, at least 16."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_stability <= 1:
            raise ValueError(f"--min-stability must be in 0 … 1, got {self.min_stability}")
        if self.max_side < 16:
            raise ValueError(f"--max-side must be at least 16, got {self.max_side}")
