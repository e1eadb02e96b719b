"""A saliency made to agree with the colours and edges of its photograph, by the same exact cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, sparse

from diffusionseg.attentioncut.mincut import Floats, min_cut
from diffusionseg.masks import refine

STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""(rows, columns) to half of a pixel's eight neighbours; the other half is these seen from the other end."""


@dataclass(frozen=True)
class ColourCutConfig:
    """Constants of the cut."""

    side: int = 128
    """Longer side in pixels that larger photographs are reduced to for the cut, at least 8."""
    prior: float = 0.5
    """Weight of the saliency's log-odds, at least 0."""
    colour: float = 0.5
    """Weight of the colours' log-likelihood ratio, at least 0."""
    smoothness: float = 4.0
    """Cost in nats of parting two neighbours of equal colour, at least 0."""
    clip: float = 0.02
    """Saliency is kept this far from 0 and 1, above 0 and below 0.5."""
    bins: int = 16
    """Levels of each colour channel in the histograms: 2 to 64."""
    trust: float = 2 / 3
    """Weight of the cut against the saliency in what is returned, above 0.5 and at most 1."""
    iterations: int = 3
    """Cuts, each with the colours of the one before, at least 1."""

    def __post_init__(self) -> None:
        for name in ("prior", "colour", "smoothness"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"colour cut {name} must be at least 0 and finite, got {getattr(self, name)}")
        if self.side < 8 or self.iterations < 1:
            raise ValueError(f"colour cut side must be at least 8 and iterations 1, got {self.side}, {self.iterations}")
        if not 0 < self.clip < 0.5:
            raise ValueError(f"colour cut clip must be between 0 and 0.5, got {self.clip}")
        if not 0.5 < self.trust <= 1:
            raise ValueError(f"colour cut trust must be above 0.5 and at most 1, got {self.trust}")
        if not 2 <= self.bins <= 64:
            raise ValueError(f"colour cut bins must be in 2 … 64, got {self.bins}")


def refine_by_colour(
    image: NDArray[np.uint8], saliency: NDArray[np.floating], config: ColourCutConfig | None = None
) -> NDArray[np.float32]:
    """A saliency (h, w) in 0…1 of any size, brought to its photograph's size (H, W, 3) along colours and edges.

    At the working size the guided filter's result is cut (`colour_cut`) and both are mixed, so that values above one
    half are the cut's object and the rest still tells how sure the saliency was; the guided filter enlarges the
    mixture. Returns (H, W) float32 in 0…1.
    """
    config = config or ColourCutConfig()
    height, width = image.shape[:2]
    factor = min(1.0, config.side / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
    smooth = refine(saliency, small, "guided")
    mixed = config.trust * colour_cut(small, smooth, config) + (1 - config.trust) * smooth
    return refine(mixed, image, "guided", radius=1.0)


def colour_cut(
    image: NDArray[np.uint8], saliency: NDArray[np.floating], config: ColourCutConfig | None = None
) -> NDArray[np.bool_]:
    """Object and background of a small photograph (H, W, 3) uint8 from its saliency (H, W) in 0…1.

    The energy's unary term joins the saliency with colour histograms of object and background, its pairwise term makes
    borders follow contrast; the histograms start from the saliency and are then taken from the cut before. Returns
    (H, W) bool. Time grows a little faster than the number of pixels.

    Source: Boykov & Jolly 2001 (histograms, contrast); Rother, Kolmogorov & Blake 2004 (iteration).
    """
    config = config or ColourCutConfig()
    if saliency.shape != image.shape[:2]:
        raise ValueError(f"saliency is {saliency.shape}, the image {image.shape[:2]} (height, width)")
    share = np.clip(saliency.astype(np.float64), config.clip, 1 - config.clip).ravel()
    log_odds = config.prior * np.log(share / (1 - share))
    codes = colour_codes(image, config.bins)
    weights = contrast_weights(image, config.smoothness)
    labels = share > 0.5
    for _ in range(config.iterations):
        score = log_odds + config.colour * colour_log_ratio(codes, share, config.bins)
        unary = np.stack([np.logaddexp(0, score), np.logaddexp(0, -score)], axis=1)
        labels = min_cut(unary, weights).labels
        share = labels.astype(np.float64)
        if not labels.any() or labels.all():
            break
    return labels.reshape(saliency.shape)


def colour_codes(image: NDArray[np.uint8], bins: int) -> NDArray[np.int64]:
    """(N,) number of the histogram cell of each pixel of an image (H, W, 3)."""
    red, green, blue = np.moveaxis(image.reshape(-1, 3).astype(np.int64) * bins // 256, 1, 0)
    codes: NDArray[np.int64] = (red * bins + green) * bins + blue
    return codes


def colour_log_ratio(codes: NDArray[np.int64], share: Floats, bins: int) -> Floats:
    """(N,) log of how much likelier each pixel's colour is in the object than in the background, within ±4.

    codes: (N,). share: (N,) in 0…1, how much each pixel counts as object. Histograms are smoothed by a Gaussian of one
    cell, so that colours seen little borrow from their neighbours.
    """
    densities = []
    for weight in (share, 1 - share):
        cells = np.bincount(codes, weight, bins**3).reshape(bins, bins, bins)
        smooth = ndimage.gaussian_filter(cells, 1.0).ravel()
        densities.append((smooth[codes] + 1e-3) / (smooth.sum() + 1))
    ratio: Floats = np.clip(np.log(densities[0] / densities[1]), -4, 4)
    return ratio


def contrast_weights(image: NDArray[np.uint8], smoothness: float) -> sparse.csr_array:
    """(N, N) symmetric: λ exp(−β ‖I_i − I_j‖²) / distance between the eight neighbours of an image (H, W, 3).

    β is one over twice the mean squared difference, so that it does not matter how contrasty a photograph is.
    """
    height, width = image.shape[:2]
    place = np.arange(height * width).reshape(height, width)
    pixels = image.reshape(-1, 3).astype(np.float64)
    ends, differences, lengths = [], [], []
    for down, right in STEPS:
        here = place[: height - down, max(0, -right) : width - max(0, right)].ravel()
        there = here + down * width + right
        ends.append((here, there))
        differences.append(((pixels[here] - pixels[there]) ** 2).sum(1))
        lengths.append(np.full(len(here), np.hypot(down, right)))
    row, column = (np.concatenate(axis) for axis in zip(*ends, strict=True))
    difference = np.concatenate(differences)
    beta = 1 / (2 * difference.mean() + 1e-9) if len(difference) else 0.0
    weight = smoothness * np.exp(-beta * difference) / np.concatenate(lengths)
    both = (np.concatenate([weight, weight]), (np.concatenate([row, column]), np.concatenate([column, row])))
    return sparse.csr_array(both, shape=(height * width, height * width))
