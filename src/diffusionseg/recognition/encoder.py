"""An encoder of pictures: residual blocks over grids of which each has half the side of the one before."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

MEAN, SCALE = 0.45, 4.0
"""Pictures in 0…1 become about standard by (picture − MEAN) · SCALE."""


@dataclass(frozen=True)
class EncoderShape:
    """Shape of an encoder; the defaults have 4.4 million parameters."""

    widths: tuple[int, ...] = (24, 48, 96, 192, 288)
    """Channels of the grids: the first has half the picture's side, each further one half of that; each at least 8."""
    depths: tuple[int, ...] = (1, 2, 2, 2, 2)
    """Residual blocks on each grid, at least 1."""

    def __post_init__(self) -> None:
        if len(self.widths) < 2 or len(self.widths) != len(self.depths):
            raise ValueError(f"widths and depths must be as many, at least 2, got {self.widths} and {self.depths}")
        if min(self.widths) < 8 or min(self.depths) < 1:
            raise ValueError(f"too small: widths {self.widths}, depths {self.depths}")

    @property
    def multiple(self) -> int:
        """What the picture's side must be a multiple of."""
        return 1 << len(self.widths)


class Encoder(nn.Module):
    """What `encode` finds in pictures, on one grid after the other."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.shape = shape
        first = shape.widths[0]
        self.stem = convolution(3, first, stride=2)
        self.grids = nn.ModuleList([_grid(first, first, shape.depths[0], stride=1)])
        for (before, width), depth in zip(pairwise(shape.widths), shape.depths[1:], strict=True):
            self.grids.append(_grid(before, width, depth, stride=2))

    def encode(self, pictures: Tensor) -> list[Tensor]:
        """What is found in pictures (B, 3, S, S) in 0…1: (B, width, S/2, S/2) and on, a grid each."""
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
