"""How a student is made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from diffusionseg.distillation.network import NetworkConfig
from diffusionseg.exploitation import AugmentConfig, TrainConfig
from diffusionseg.prediction import PredictConfig
from diffusionseg.recognition import EncoderConfig


def student_training() -> TrainConfig:
    """A network of pixels starts from nothing: more steps, larger batches and stronger changes than a decoder's, and
    each view seen once."""
    return TrainConfig(
        steps=3000,
        batch_size=32,
        learning_rate=2e-3,
        gradient_norm=5.0,
        average_decay=0.998,
        views=0,
        augment=AugmentConfig(scale=(0.6, 1.8), paste=0.3),
    )


def averaging_views(config: PredictConfig) -> PredictConfig:
    """A teacher's way of predicting for its student: a network of pixels gains by averaging four views, which cost it
    far less than the cut does (`benchmarks/views_ablation.py`)."""
    return replace(config, flip=True, margins=(0.0, 0.15))


@dataclass(frozen=True)
class DistillConfig:
    """How a student is made."""

    side: int = 128
    """Side in pixels of the square that pictures are resized to."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """Shape of the network."""
    training: TrainConfig = field(default_factory=student_training)
    """Steps, order and augmentation; its `memory` is not used."""
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    """How the encoder learns from captioned photographs, where there are any."""

    def __post_init__(self) -> None:
        if self.side < 1 or self.side % self.network.multiple:
            raise ValueError(f"--side must be a multiple of {self.network.multiple}, got {self.side}")
        if self.side == self.network.multiple and self.training.batch_size == 1:
            raise ValueError(
                f"--batch-size must be at least 2 with --side {self.side}, whose coarsest grid is one point"
            )
