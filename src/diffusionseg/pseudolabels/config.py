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
    max_side: int = 256
    """Longer side in pixels that larger photographs are stored at, at least 16."""

    def __post_init__(self) -> None:
        if self.max_side < 16:
            raise ValueError(f"--max-side must be at least 16, got {self.max_side}")
