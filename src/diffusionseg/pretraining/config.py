"""How a small generator is trained, and how its training tells how far it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from diffusionseg.pretraining.autoencoder import PATCH
from diffusionseg.pretraining.generator import GeneratorConfig
from diffusionseg.recognition import EncoderConfig
from diffusionseg.training import warm_cosine

Report = Callable[[str, int, int, dict[str, float]], None]
"""Called as report(stage, done, all, values): stages `autoencoder`, `encoder` and `generator` after steps, `judging`
after photographs, and `judge` with the numbers of the checkpoint after so many steps."""


@dataclass(frozen=True)
class PretrainConfig:
    """How a small generator is trained."""

    image_size: int = 64
    """Side of the training squares in pixels, a multiple of 16."""
    larger_sizes: tuple[int, ...] = ()
    """Sides of larger squares, multiples of 16, that some steps train on: photographs that have so many pixels."""
    larger_every: int = 3
    """Every how many steps one is of a larger size, each size in its turn; its batch has as many pixels as others."""
    steps: int = 10_000
    """Optimiser steps of the U-Net and text encoder."""
    batch_size: int = 48
    """Photographs in a step, of `image_size`."""
    balance: float = 0.0
    """Squares of a class of n are drawn in proportion to n^(1 − balance): 0 (each square as often as any other,
    in epochs) to 1 (each class as often as any other)."""
    learning_rate: float = 5e-4
    """Peak of the cosine schedule."""
    warmup: int = 500
    """Steps of linear warm-up, at most a tenth of all."""
    final_fraction: float = 0.1
    """Learning rate at the end, as a share of the peak."""
    weight_decay: float = 0.01
    """AdamW's decoupled decay."""
    average_decay: float = 0.999
    """Decay of the averaged weights that are saved."""
    caption_drop: float = 0.1
    """Share of empty captions."""
    timestep_shift: float = 1.0
    """How much training favours timesteps of high noise, 1 (not at all) to 20; with 3 half of them lie above 750."""
    alignment: float = 1.0
    """Weight, above 0, of the alignment with an encoder (1 − cosine) beside the error of v, where there are captioned
    photographs."""
    aligned_batch_size: int = 64
    """Crops of captioned photographs in a step, at least 1."""
    aligned_below: int = 250
    """Features are aligned at timesteps below this one, 1 to 1,000; decoders read them at little noise."""
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    """How the encoder learns class names before the generator is trained, where there are captioned photographs."""
    autoencoder_steps: int = 2500
    """Optimiser steps of the autoencoder (batches of 24)."""
    save_every: int = 500
    """Steps between checkpoints."""
    seed: int = 0
    """Seed of everything random."""
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    """Size of the generator."""

    def __post_init__(self) -> None:
        if self.image_size % 16 or self.image_size <= 0:
            raise ValueError(f"--image-size must be a positive multiple of 16, got {self.image_size}")
        if self.generator.sample_size * PATCH != self.image_size:
            raise ValueError(
                f"generator.sample_size must be image_size / {PATCH} = {self.image_size // PATCH}, "
                f"got {self.generator.sample_size}"
            )
        for size in self.larger_sizes:
            if size % 16 or size <= self.image_size:
                raise ValueError(
                    f"--larger-size must be a multiple of 16 above --image-size {self.image_size}, got {size}"
                )
        if self.larger_every < 2:
            raise ValueError(f"--larger-every must be at least 2, got {self.larger_every}")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"--learning-rate must be above 0 and finite, got {self.learning_rate}")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay must be at least 0 and finite, got {self.weight_decay}")
        if not 0 <= self.average_decay < 1:
            raise ValueError(f"average_decay must be in [0, 1), got {self.average_decay}")
        for name in ("caption_drop", "final_fraction"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be 0 to 1, got {getattr(self, name)}")
        if self.warmup < 0 or self.seed < 0:
            raise ValueError(f"warmup and --seed must be at least 0, got {self.warmup} and {self.seed}")
        if not 0 <= self.balance <= 1:
            raise ValueError(f"--balance must be 0 to 1, got {self.balance}")
        if not 1 <= self.timestep_shift <= 20:
            raise ValueError(f"--timestep-shift must be 1 to 20, got {self.timestep_shift}")
        if not 0 < self.alignment < math.inf:
            raise ValueError(f"--alignment must be above 0 and finite, got {self.alignment}")
        if not 1 <= self.aligned_below <= 1000:
            raise ValueError(f"aligned_below must be 1 to 1000, got {self.aligned_below}")
        if self.aligned_batch_size < 1:
            raise ValueError(f"aligned_batch_size must be at least 1, got {self.aligned_batch_size}")
        for name in ("steps", "batch_size", "autoencoder_steps", "save_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name.replace('_', '-')} must be at least 1, got {getattr(self, name)}")


def learning_rate(step: int, config: PretrainConfig) -> float:
    """Linear warm-up, then cosine down to `final_fraction` of the peak at the last step."""
    warmup = min(config.warmup, config.steps // 10)
    return config.learning_rate * warm_cosine(step, config.steps, warmup, config.final_fraction)
