"""The network of a student: a residual encoder over five grids and a top-down fusion, pictures to saliency."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from diffusionseg.recognition import Encoder, EncoderShape, convolution


@dataclass(frozen=True)
class NetworkConfig(EncoderShape):
    """Shape of a student; the defaults have 4.6 million parameters."""

    fusion: int = 48
    """Channels of the top-down path, at least 8."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fusion < 8:
            raise ValueError(f"too small: fusion {self.fusion}")


class StudentNetwork(Encoder):
    """Pictures (B, 3, S, S) in 0…1 to logits (B, 1, S/2, S/2)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.config = config
        last, fusion = config.widths[-1], config.fusion
        # What the whole picture shows decides which of its parts is the object.
        self.whole = nn.Sequential(nn.Linear(last, last), nn.ReLU(), nn.Linear(last, fusion))
        self.laterals = nn.ModuleList(nn.Conv2d(width, fusion, 1) for width in config.widths)
        self.fusions = nn.ModuleList(convolution(fusion, fusion) for _ in config.widths[:-1])
        self.head = nn.Conv2d(fusion, 1, 3, padding=1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (B, 1, S/2, S/2)."""
        found = self.encode(pictures)
        fused = self.laterals[-1](found[-1]) + self.whole(found[-1].mean((2, 3)))[:, :, None, None]
        for level in reversed(range(len(self.fusions))):
            fused = functional.interpolate(fused, scale_factor=2.0, mode="bilinear", align_corners=False)
            fused = self.fusions[level](fused + self.laterals[level](found[level]))
        logits: Tensor = self.head(fused)
        return logits
