"""GrabCut from a rectangle in the middle, without any model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffusionseg.attentioncut.colour_cut import SETTLED
from diffusionseg.attentioncut.colour_energy import contrast_edges
from diffusionseg.attentioncut.colour_models import FEWEST, colour_log_density
from diffusionseg.attentioncut.mincut import CutGraph
from diffusionseg.baselines.centred import Floats

SHARE = 0.8
"""Share of both sides that the rectangle covers, 0 to 1; what is outside is background for certain."""
CLUSTERS = 5
"""Gaussians of the object's and of the background's colours, at least 1."""
ITERATIONS = 5
"""Rounds of colour models and cut, at least 1."""
GAMMA = 50.0
"""Cost in nats of parting two neighbours of equal colour, at least 0."""
SIDE = 256
"""Longer side in pixels at which the cut is made, at least 8."""


def grabcut(
    image: NDArray[np.uint8],
    share: float = SHARE,
    clusters: int = CLUSTERS,
    iterations: int = ITERATIONS,
    gamma: float = GAMMA,
    side: int = SIDE,
) -> Floats:
    """The object (h, w) of 0 and 1 in the middle of a photograph (H, W, 3) uint8, at most `side` pixels long.

    Source: Rother, Kolmogorov & Blake 2004, with OpenCV's constants (five Gaussians, γ = 50, 9γ outside the rectangle).
    Other than OpenCV's `grabCut`: the photograph is shrunk to `side`; each round fits its Gaussians afresh by k-means,
    where OpenCV goes on with those of the round before; a camera's noise of 3 grey levels is added to each Gaussian;
    ties go to the background; it ends early where hardly a pixel changes sides, and where one side runs out of pixels.
    """
    factor = min(1.0, side / max(image.shape[:2]))
    height, width = (max(1, round(length * factor)) for length in image.shape[:2])
    small = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))
    down, across = (round((1 - share) / 2 * length) for length in (height, width))
    inside = np.zeros((height, width), dtype=bool)
    inside[down : height - down, across : width - across] = True
    pixels = small.reshape(-1, 3).astype(np.float64)
    graph = CutGraph(small.shape[0] * small.shape[1], contrast_edges(small, gamma))
    labels = inside.ravel()
    for _ in range(iterations):
        if min(labels.sum(), (~labels).sum()) < FEWEST:
            break
        object_cost = -colour_log_density(pixels, pixels[labels], clusters)
        background_cost = -colour_log_density(pixels, pixels[~labels], clusters)
        # Only the difference counts for the cut; outside the rectangle it is that of OpenCV's terminal edges.
        difference = np.where(inside.ravel(), object_cost - background_cost, 9 * gamma)
        before, labels = labels, graph.labels(-difference)
        if np.count_nonzero(before != labels) <= SETTLED * len(labels):
            break
    return labels.reshape(height, width).astype(np.float64)
