"""Random parts of captioned photographs, and rectangles of one in another, from which an encoder learns."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from diffusionseg.recognition.config import EncoderConfig


def crops(images: NDArray[np.uint8], side: int, config: EncoderConfig, drawn: torch.Generator) -> Tensor:
    """Random parts of images (N, H, W, 3), mirrored and recoloured at random: (N, 3, side, side) in 0…1.

    Everything random is of `drawn`.
    """
    count = len(images)

    def even(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=drawn) * (high - low) + low

    area, aspect = even(*config.area), torch.exp(even(-math.log(4 / 3), math.log(4 / 3)))
    width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    windows = torch.zeros(count, 2, 3)
    windows[:, 0, 0] = width * torch.where(even(0, 1) < 0.5, -1.0, 1.0)
    windows[:, 1, 1] = height
    windows[:, 0, 2], windows[:, 1, 2] = even(-1, 1) * (1 - width), even(-1, 1) * (1 - height)
    pictures = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    grid = functional.affine_grid(windows, [count, 3, side, side], align_corners=False)
    pictures = functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)

    def each(values: Tensor) -> Tensor:
        return values[:, None, None, None]

    pictures = pictures * each(even(0.6, 1.4))
    mean = pictures.mean((1, 2, 3), keepdim=True)
    pictures = mean + (pictures - mean) * each(even(0.6, 1.4))
    grey = torch.einsum("nchw,c->nhw", pictures, torch.tensor([0.299, 0.587, 0.114]))[:, None]
    colour = torch.where(even(0, 1) < 0.1, torch.zeros(count), even(0.5, 1.5))
    pictures = grey + (pictures - grey) * each(colour)
    return pictures.clamp(0, 1).contiguous(memory_format=torch.channels_last)


def cut_in(pictures: Tensor, share: float, drawn: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures (N, 3, S, S) of which a `share`, drawn, show a rectangle of another at the same place.

    Returns them, which picture (N,) each rectangle is of, and the share (N,) of the pixels that are still a picture's
    own. A rectangle's area is evenly distributed before what lies outside the picture is cut off. Everything random is
    of `drawn`.
    """
    count, side = len(pictures), pictures.shape[-1]
    others = torch.arange(count).roll(1)
    if share == 0:
        return pictures, others, torch.ones(count)
    half = torch.rand(count, generator=drawn).sqrt() * side / 2
    middle = torch.rand(2, count, generator=drawn) * side
    pixel = torch.arange(side) + 0.5
    inside = (pixel - middle[:, :, None]).abs() < half[:, None]
    chosen = torch.rand(count, generator=drawn) < share
    cut = inside[0, :, :, None] & inside[1, :, None, :] & chosen[:, None, None]
    mixed = torch.where(cut[:, None].to(pictures.device), pictures[others], pictures)
    return mixed, others, 1 - cut.float().mean((1, 2))
