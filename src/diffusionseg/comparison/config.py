"""What is compared, and with which model."""

from __future__ import annotations

from dataclasses import dataclass, field

from diffusionseg.backbone import Backbone
from diffusionseg.baselines import ReadingConfig
from diffusionseg.exploitation import DiffusionSeg


@dataclass(frozen=True)
class CompareConfig:
    """Which rows the table has, and how they are measured."""

    methods: tuple[str, ...]
    """Names in `METHODS`."""
    refinements: tuple[str, ...] = ("none", "guided", "bilateral")
    """Names in `REFINEMENTS`; every method is refined by each of them."""
    protocol: str = "tokencut"
    """Definition of the measures."""
    undecided: str | None = None
    """What grey, void and border pixels of the masks count as, as of `eval`; None refuses masks that have any."""
    limit: int | None = None
    """Only the first photographs by name; None takes all."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    """How the generator reads photographs."""

    @property
    def folders(self) -> list[tuple[str, str]]:
        """(method, refinement) of every row."""
        return [(method, refinement) for method in self.methods for refinement in self.refinements]


@dataclass(frozen=True)
class ModelSource:
    """Where the decoder and its generator come from; small enough to be sent to other processes."""

    weights: str = "mini"
    """Decoder: an embedded one's name, a folder, or a hub id."""
    model: str | None = None
    """Generator, where it is not the one that the decoder's files name."""
    device: str = "auto"
    """As `Backbone.from_pretrained` takes it."""
    dtype: str | None = None
    """Number format; None is the device's own."""

    def load(self) -> DiffusionSeg:
        """The decoder with its generator."""
        backbone = None
        if self.model is not None:
            backbone = Backbone.from_pretrained(self.model, device=self.device, dtype=self.dtype)
        return DiffusionSeg.from_pretrained(self.weights, device=self.device, dtype=self.dtype, backbone=backbone)
