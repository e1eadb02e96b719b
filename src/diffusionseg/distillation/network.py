"""The network of a student: a residual encoder over five grids and a top-down fusion, pictures to saliency."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

MEAN, SCALE = 0.45, 4.0
"""Pictures in 0…1 become about standard by (picture − MEAN) · SCALE."""


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of a student; the defaults have 4.6 million parameters."""

    widths: tuple[int, ...] = (24, 48, 96, 192, 288)
    """Channels of the encoder's grids: the first has half the picture's side, each further one half of that."""
    depths: tuple[int, ...] = (1, 2, 2, 2, 2)
    """Residual blocks on each grid, at least 1."""
    fusion: int = 48
    """Channels of the top-down path, at least 8."""

    def __post_init__(self) -> None:
        if len(self.widths) < 2 or len(self.widths) != len(self.depths):
            raise ValueError(f"widths and depths must be as many, at least 2, got {self.widths} and {self.depths}")
        if min(self.widths) < 8 or min(self.depths) < 1 or self.fusion < 8:
            raise ValueError(f"too small: widths {self.widths}, depths {self.depths}, fusion {self.fusion}")

    @property
    def multiple(self) -> int:
        """What the picture's side must be a multiple of."""
        return 1 << len(self.widths)


class StudentNetwork(nn.Module):
    """Pictures (B, 3, S, S) in 0…1 to logits (B, 1, S/2, S/2)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        first, last, fusion = config.widths[0], config.widths[-1], config.fusion
        self.stem = convolution(3, first, stride=2)
        self.grids = nn.ModuleList([_grid(first, first, config.depths[0], stride=1)])
        for (before, width), depth in zip(pairwise(config.widths), config.depths[1:], strict=True):
            self.grids.append(_grid(before, width, depth, stride=2))
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

    def encode(self, pictures: Tensor) -> list[Tensor]:
        """What the encoder finds in pictures (B, 3, S, S) in 0…1: (B, width, S/2, S/2) and on, a grid each."""
        found = [self.stem((pictures - MEAN) * SCALE)]
        for grid in self.grids:
            found.append(grid(found[-1]))
        return found[1:]


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions around a shortcut."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = convolution(channels, width, stride=stride)
        self.second = convolution(width, width, active=False)
        same = channels == width and stride == 1
        self.shortcut = nn.Identity() if same else convolution(channels, width, 1, stride, active=False)

    def forward(self, values: Tensor) -> Tensor:
        return torch.relu(self.second(self.first(values)) + self.shortcut(values))


def convolution(channels: int, width: int, kernel: int = 3, stride: int = 1, *, active: bool = True) -> nn.Sequential:
    """Convolution, batch normalisation and, where `active`, ReLU."""
    layers = [
        nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(width),
        *([nn.ReLU()] if active else []),
    ]
    return nn.Sequential(*layers)


def _grid(channels: int, width: int, depth: int, *, stride: int) -> nn.Sequential:
    blocks = [ResidualBlock(channels, width, stride)]
    return nn.Sequential(*blocks, *(ResidualBlock(width, width, 1) for _ in range(depth - 1)))
