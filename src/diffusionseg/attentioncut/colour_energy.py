"""Terms of the colour cut's energy: what is believed of each pixel, and what it costs to part two neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffusionseg.attentioncut.colour_config import ColourCutConfig
from diffusionseg.attentioncut.mincut import Edges, Floats

STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""(rows, columns) to half of a pixel's eight neighbours; the other half is these seen from the other end."""


def inside_margin(shape: tuple[int, ...], margin: float) -> NDArray[np.bool_]:
    """(H, W): pixels that do not lie in the margin, a share of each side along the border."""
    down, right = (int(margin * side) for side in shape)
    inside = np.zeros(shape, dtype=bool)
    inside[down : shape[0] - down, right : shape[1] - right] = True
    return inside


def beliefs(saliency: NDArray[np.floating], config: ColourCutConfig) -> Floats:
    """(H, W) nats for object, below zero for background, by a saliency (H, W) in 0…1 and the margin alone."""
    share = np.clip(saliency.astype(np.float64), config.clip, 1 - config.clip)
    belief: Floats = config.prior * np.log(share / (1 - share))
    belief -= config.border * ~inside_margin(saliency.shape, config.margin)
    return belief


def contrast_edges(image: NDArray[np.uint8], smoothness: float, near: NDArray[np.bool_] | None = None) -> Edges:
    """λ exp(−β ‖I_i − I_j‖²) / distance between the eight neighbours of an image (H, W, 3): each edge once.

    β is one over twice the mean squared difference, so that it does not matter how contrasty a photograph is. With
    `near` (H, W) only the edges are there that have an end in it.
    """
    height, width = image.shape[:2]
    place = np.arange(height * width).reshape(height, width)
    pixels = image.astype(np.float64)
    total, number, parts = 0.0, 0, []
    for down, right in STEPS:
        here = slice(0, height - down), slice(max(0, -right), width - max(0, right))
        there = slice(down, height), slice(max(0, right), width - max(0, -right))
        square = np.einsum("hwc,hwc->hw", change := pixels[here] - pixels[there], change)
        total, number = total + float(square.sum()), number + square.size
        kept = ... if near is None else near[here] | near[there]
        parts.append(
            (place[here][kept].ravel(), place[there][kept].ravel(), square[kept].ravel(), np.hypot(down, right))
        )
    beta = 1 / (2 * total / number + 1e-9) if number else 0.0
    weights = [smoothness * np.exp(-beta * square) / length for _, _, square, length in parts]
    row, column = (np.concatenate([part[end] for part in parts]) for end in (0, 1))
    return Edges(row, column, np.concatenate(weights))
