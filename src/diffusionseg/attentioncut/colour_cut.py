"""A saliency made to agree with the colours and edges of its photograph, by the same exact cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffusionseg.attentioncut.colour_models import colour_log_ratio
from diffusionseg.attentioncut.mincut import CutGraph, Edges
from diffusionseg.masks import refine

STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""(rows, columns) to half of a pixel's eight neighbours; the other half is these seen from the other end."""
SETTLED = 0.002
"""Share of the pixels that may still change their side in the last round."""
WORTH_IT = 1.5
"""Working sizes, in `coarse` ones, from which a cut is begun on a smaller copy."""


@dataclass(frozen=True)
class ColourCutConfig:
    """Constants of the colour cut."""

    side: int = 128
    """Longer side in pixels at which the cut is made, at least 8."""
    coarse: int = 64
    """Longer side in pixels at which it is begun where the working size is at least half as large again, at least 8."""
    prior: float = 1.0
    """Weight of the saliency's log-odds, 0 to 1000: about 1 for a decoder that is right most of the time, less for one
    that often is not."""
    colour: float = 1.0
    """Weight of the colours' log-likelihood ratio, at least 0."""
    smoothness: float = 8.0
    """Cost in nats of parting two neighbours of equal colour, at least 0."""
    margin: float = 0.1
    """Share of each side, 0 to 0.45, along the photograph's border that is background at first: few photographers let
    the main object run out of the frame."""
    border: float = 3.0
    """Cost in nats of an object pixel in the margin, at least 0."""
    clusters: int = 5
    """Gaussians of the object's and of the background's colours, at least 1."""
    iterations: int = 5
    """Rounds of colour models and cut, at most, at the size at which it is begun; at least 1."""
    finish: int = 2
    """Rounds at the working size, at most, after those at `coarse`; at least 1."""
    clip: float = 0.02
    """Saliency is kept this far from 0 and 1, above 0 and below 0.5."""
    trust: float = 2 / 3
    """Share of the cut in the refined saliency, above 0.5 and at most 1."""

    def __post_init__(self) -> None:
        if not 0 <= self.prior <= 1000:
            raise ValueError(f"--prior must be in 0 … 1000, got {self.prior}")
        for name in ("colour", "smoothness", "border"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"colour cut {name} must be at least 0 and finite, got {getattr(self, name)}")
        for name, least in (("side", 8), ("coarse", 8), ("clusters", 1), ("iterations", 1), ("finish", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"colour cut {name} must be at least {least}, got {getattr(self, name)}")
        if not 0 <= self.margin <= 0.45:
            raise ValueError(f"colour cut margin must be in 0 … 0.45, got {self.margin}")
        if not 0 < self.clip < 0.5:
            raise ValueError(f"colour cut clip must be between 0 and 0.5, got {self.clip}")
        if not 0.5 < self.trust <= 1:
            raise ValueError(f"colour cut trust must be above 0.5 and at most 1, got {self.trust}")


def refine_by_colour(
    image: NDArray[np.uint8],
    saliency: NDArray[np.floating],
    config: ColourCutConfig | None = None,
    cut: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """A saliency (h, w) in 0…1 of any size, brought to its photograph's size (H, W, 3) along colours and edges.

    At the working size the guided filter's result is cut (`small_cut`, or the `cut` given) and both are mixed, so that
    values above one half are the cut's object and the rest still tells how sure the saliency was; the guided filter
    enlarges the mixture. Where the cut finds no object, or nothing else, the guided filter's result stands alone.
    Returns (H, W) float32 in 0…1.
    """
    config = config or ColourCutConfig()
    small, smooth = _at_side(image, saliency, config.side)
    if cut is None:
        cut = _coarse_to_fine(small, smooth, saliency, config)
    mixed = smooth if cut.all() or not cut.any() else config.trust * cut + (1 - config.trust) * smooth
    return refine(mixed, image, "guided", radius=1.0)


def small_cut(
    image: NDArray[np.uint8], saliency: NDArray[np.floating], config: ColourCutConfig | None = None
) -> NDArray[np.bool_]:
    """The colour cut of a photograph (H, W, 3) with its saliency (h, w) in 0…1, at the working size: (h', w') bool.

    It is begun on a copy of `coarse` pixels, unless the working size is hardly larger, and finished in few rounds.
    """
    config = config or ColourCutConfig()
    return _coarse_to_fine(*_at_side(image, saliency, config.side), saliency, config)


def _coarse_to_fine(
    small: NDArray[np.uint8], smooth: NDArray[np.float32], saliency: NDArray[np.floating], config: ColourCutConfig
) -> NDArray[np.bool_]:
    """The cut at the working size, begun from that of a still smaller copy, in which shapes count more than details."""
    if max(smooth.shape) < WORTH_IT * config.coarse:
        return colour_cut(small, smooth, config)
    found = colour_cut(*_at_side(small, saliency, config.coarse), config)
    if found.all() or not found.any():
        return colour_cut(small, smooth, config)
    start = np.asarray(Image.fromarray(found).resize(smooth.shape[::-1], Image.Resampling.NEAREST))
    return colour_cut(small, smooth, replace(config, iterations=config.finish), start)


def cut_stability(
    image: NDArray[np.uint8],
    saliency: NDArray[np.floating],
    cut: NDArray[np.bool_],
    config: ColourCutConfig | None = None,
    enough: float = 0.0,
) -> float:
    """How little a photograph's `small_cut` depends on its constants: 0 (another object) to 1 (the same pixels).

    The least intersection over union with the cuts with `side` and `coarse` halved, without the saliency, and at half
    the smoothness. Where constants decide, the photograph does not: stable cuts are right far more often. Below
    `enough` the remaining cuts are not made. Shapes as for `small_cut`.
    """
    least = 1.0
    for varied in _variations(config or ColourCutConfig()):
        other = small_cut(image, saliency, varied)
        if other.shape != cut.shape:
            other = np.asarray(Image.fromarray(other).resize(cut.shape[::-1], Image.Resampling.NEAREST))
        either = np.count_nonzero(cut | other)
        least = min(least, np.count_nonzero(cut & other) / either if either else 1.0)
        if least < enough:
            break
    return least


def _variations(config: ColourCutConfig) -> Iterator[ColourCutConfig]:
    """The quickest first."""
    yield replace(config, side=max(8, config.side // 2), coarse=max(8, config.coarse // 2))
    if config.prior > 0:
        yield replace(config, prior=0.0)
    if config.smoothness > 0:
        yield replace(config, smoothness=config.smoothness / 2)


def _at_side(
    image: NDArray[np.uint8], saliency: NDArray[np.floating], side: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Photograph, and its saliency by the guided filter, at most `side` pixels long."""
    height, width = image.shape[:2]
    factor = min(1.0, side / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
    return small, refine(saliency, small, "guided")


def colour_cut(
    image: NDArray[np.uint8],
    saliency: NDArray[np.floating],
    config: ColourCutConfig | None = None,
    start: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Object and background of a small photograph (H, W, 3) uint8 from its saliency (H, W) in 0…1, at this very size.

    The energy's unary term joins the saliency with colour models of object and background, its pairwise term makes
    borders follow contrast. The first models tell the colours of the object in `start` (H, W) from the others or, where
    it is None, those inside the margin from those in it; the following ones tell those of the cut before. There are
    `iterations` rounds at most. Returns (H, W) bool. Time grows a little faster than the number of pixels.

    Source: Boykov & Jolly 2001 (contrast); Rother, Kolmogorov & Blake 2004 (Gaussian mixtures, iteration, start from a
    frame); Wei, Wen, Zhu & Sun 2012 (the border as background).
    """
    config = config or ColourCutConfig()
    if saliency.shape != image.shape[:2]:
        raise ValueError(f"saliency is {saliency.shape}, the image {image.shape[:2]} (height, width)")
    down, right = (int(config.margin * side) for side in saliency.shape)
    inside = np.zeros(saliency.shape, dtype=bool)
    inside[down : saliency.shape[0] - down, right : saliency.shape[1] - right] = True
    share = np.clip(saliency.astype(np.float64), config.clip, 1 - config.clip)
    believed = (config.prior * np.log(share / (1 - share)) - config.border * ~inside).ravel()
    pixels = image.reshape(-1, 3).astype(np.float64)
    graph = CutGraph(image.shape[0] * image.shape[1], contrast_edges(image, config.smoothness))
    if start is None:
        start = inside if not inside.all() else share > 0.5
    labels = start.ravel()
    for _ in range(config.iterations):
        score = believed + config.colour * colour_log_ratio(pixels, labels, config.clusters)
        before, labels = labels, graph.labels(score)
        if np.count_nonzero(before != labels) <= SETTLED * len(labels):
            break
    return labels.reshape(saliency.shape)


def contrast_edges(image: NDArray[np.uint8], smoothness: float) -> Edges:
    """λ exp(−β ‖I_i − I_j‖²) / distance between the eight neighbours of an image (H, W, 3): each edge once.

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
    return Edges(row, column, smoothness * np.exp(-beta * difference) / np.concatenate(lengths))
