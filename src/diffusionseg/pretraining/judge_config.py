"""Constants of judging a generator in training."""

from __future__ import annotations

from dataclasses import dataclass, field

from diffusionseg.attentioncut import AttentionCutConfig


@dataclass(frozen=True)
class JudgeConfig:
    """How a generator in training is judged by annotated photographs. All of it is fixed, so that the numbers of
    different checkpoints differ by the weights alone."""

    limit: int = 200
    """Most photographs, at least 1."""
    timesteps: tuple[int, ...] = (350, 550, 750)
    """Timesteps of the training schedule at which attention is read, 0 to 999."""
    noises: int = 8
    """Noises under which attention is read at each timestep, the same ones in all photographs, at least 1."""
    min_tokens: int = 196
    """Positions of the smallest attention layer that is read, 1 to 1024; the default is that of synthesis."""
    cut: AttentionCutConfig = field(default_factory=lambda: AttentionCutConfig(refine="guided"))
    """AttentionCut, on the attention grid alone: what colours add does not depend on the generator."""
    share: tuple[float, float] = (0.05, 0.60)
    """Photographs whose object covers this share are also reported apart: elsewhere the whole frame is a good guess."""
    centre: float = 0.7
    """Sides of the centre box, the baseline, as a share of the photograph's, above 0 and at most 1."""
    buckets: int = 5
    """Equal parts of the training schedule for which the denoising loss is reported, 1 to 100."""
    batch_size: int = 50
    """Most noised photographs in one call when the denoising loss is measured; at least one of each bucket."""
    seed: int = 0
    """Seed of all noises."""

    def __post_init__(self) -> None:
        for name in ("limit", "noises", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.timesteps or not all(0 <= t <= 999 for t in self.timesteps):
            raise ValueError(f"timesteps must be in 0 … 999 and at least one, got {self.timesteps}")
        if not 1 <= self.min_tokens <= 1024:
            raise ValueError(f"min_tokens must be in 1 … 1024, got {self.min_tokens}")
        if not 0 <= self.share[0] <= self.share[1] <= 1:
            raise ValueError(f"share must be 0 <= least <= most <= 1, got {self.share}")
        if not 0 < self.centre <= 1:
            raise ValueError(f"centre must be above 0 and at most 1, got {self.centre}")
        if not 1 <= self.buckets <= 100:
            raise ValueError(f"buckets must be in 1 … 100, got {self.buckets}")
