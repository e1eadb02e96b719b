"""AttentionCut: attention maps of one image to its pseudo-mask, without training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from diffusionseg.attentioncut.aggregate import Grid, aggregate_cross, aggregate_self, finest_grid, map_grid
from diffusionseg.attentioncut.colour_config import ColourCutConfig
from diffusionseg.attentioncut.dense_cut import dense_energy, dense_min_cut
from diffusionseg.attentioncut.pairwise import pairwise_weights
from diffusionseg.attentioncut.photo_cut import refine_by_colour
from diffusionseg.attentioncut.pixels import pseudo_mask
from diffusionseg.attentioncut.unary import min_max, object_probability, unary_energy
from diffusionseg.masks import refine

PixelMethod = Literal["guided", "cut"]


@dataclass(frozen=True)
class AttentionCutConfig:
    """Constants of AttentionCut, all of them this project's choice."""

    propagate: int = 0
    """Times that cross-attention is spread along self-attention before (A^k c), 0 to 16."""
    temperature: float = 0.12
    """τ of the unary term, in units of min–max normalised attention, at least 1e-6."""
    clip: float = 0.02
    """Object probabilities stay within [clip, 1 − clip]; above 0 and below 0.5."""
    smoothness: float = 2.5
    """λ: mean sum of the edge weights of a position, in nats, at least 0."""
    sigma: float = 2.5
    """Reach of an edge, in positions of a grid 16 wide, at least 1e-6."""
    neighbours: int | None = None
    """Edges kept for each position, the strongest; None keeps all."""
    swap_rim: float = 0.8
    """Share of the grid's outermost positions that the cut may cover, 0 to 1; where it covers more, it is what lies
    behind the object, and the sides are swapped. 1 never swaps."""
    trust: float = 0.5
    """Share of the cut, against the unary term, in a pixel's probability, 0 to 1."""
    refine: PixelMethod = "cut"
    """How that probability gets from the attention grid to pixels: by the guided filter alone ("guided"), or cut once
    more along the image's colours and edges ("cut")."""
    colour: ColourCutConfig = field(default_factory=lambda: ColourCutConfig(prior=0.25))
    """Constants of the cut along colours and edges; its `prior` is what the attention counts against the colours."""
    radius: float = 1.0
    """Radius of the guided filter alone in grid cells, at least 1e-6."""
    eps: float = 1e-3
    """Regularisation of the guided filter alone, in squared units of 0…1 colour, at least 1e-6."""
    band: tuple[float, float] = (0.35, 0.65)
    """Pixels between these probabilities are ignored in training, 0 to 1."""

    def __post_init__(self) -> None:
        if not isinstance(self.propagate, int) or not 0 <= self.propagate <= 16:
            raise ValueError(f"propagate must be a whole number in 0 … 16, got {self.propagate}")
        for name in ("temperature", "sigma", "radius", "eps"):
            if not 1e-6 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be at least 1e-6 and finite, got {getattr(self, name)}")
        if not 0 < self.clip < 0.5:
            raise ValueError(f"clip must be between 0 and 0.5, got {self.clip}")
        if not 0 <= self.smoothness < float("inf"):
            raise ValueError(f"smoothness must be at least 0 and finite, got {self.smoothness}")
        if self.neighbours is not None and self.neighbours < 1:
            raise ValueError(f"neighbours must be at least 1, got {self.neighbours}")
        for name in ("swap_rim", "trust"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in 0 … 1, got {getattr(self, name)}")
        if self.refine not in get_args(PixelMethod):
            raise ValueError(f"--refine must be one of {', '.join(get_args(PixelMethod))}, got {self.refine!r}")
        if not 0 <= self.band[0] <= self.band[1] <= 1:
            raise ValueError(f"band must be 0 <= low <= high <= 1, got {self.band}")

    def to_pixels(self, refine: str | None, prior: float | None) -> AttentionCutConfig:
        """The same with this refinement and this `prior` of the colours, None for what is. Raises ValueError for values
        out of range, and for a prior where no colours are asked."""
        asked: dict[str, Any] = {} if refine is None else {"refine": refine}
        if prior is not None:
            asked["colour"] = replace(self.colour, prior=prior)
        changed = replace(self, **asked)
        if prior is not None and changed.refine != "cut":
            raise ValueError("--prior counts in --refine cut alone; leave one of the two out")
        return changed


@dataclass(frozen=True, eq=False)
class GridCut:
    """What the cut on the attention grid found."""

    labels: NDArray[np.bool_]
    """(h, w) minimum cut on the attention grid, True where the object is."""
    probability: NDArray[np.float64]
    """(h, w) object probability of the unary term, after swapping."""
    cross: NDArray[np.float64]
    """(h, w) cross-attention, min–max normalised."""
    energy: dict[str, float]
    """`unary`, `pairwise` and `total` of the cut, in nats."""
    confidence: float
    """Mean over positions of the probability that the unary term gives the cut's label, 0 to 1."""
    agreement: float
    """Intersection over union of the cut and of probability above one half, 0 to 1; 1 where both are empty."""
    swapped: bool
    """Whether the sides were swapped, since the cut covered more than `swap_rim` of the rim."""


@dataclass(frozen=True, eq=False)
class AttentionCutResult(GridCut):
    """What AttentionCut found in one image. All but the mask is of the attention grid, before any pixel."""

    pseudo_mask: NDArray[np.uint8]
    """(H, W): 0 background, 255 object, 128 ignore."""


def attention_cut(
    cross: Sequence[NDArray[np.floating]],
    self_attention: Sequence[NDArray[np.floating]],
    grids: Sequence[Grid],
    image: NDArray[np.uint8],
    config: AttentionCutConfig | None = None,
) -> AttentionCutResult:
    """Cut the named object out of one image.

    cross: cross-attention of the class name, one map (h, w) a layer. self_attention: one (h·w, h·w) a layer, on the
    grid of its place in `grids`. image: (H, W, 3) uint8, which the mask follows. The cut is made on the finest grid of
    them all, and then brought to pixels as `config.refine` says. Raises ValueError naming the argument that does not
    fit, is negative or not finite.
    """
    config = config or AttentionCutConfig()
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"image must be (H, W, 3) uint8, got {image.shape} {image.dtype}")
    found = cut_on_grid(cross, self_attention, grids, config)
    mixed = config.trust * found.labels + (1 - config.trust) * found.probability
    # Colours alone would find something even where the cut finds nothing.
    if config.refine == "cut" and found.labels.any() and not found.labels.all():
        soft = refine_by_colour(image, mixed, config.colour)
    else:
        soft = refine(mixed, image, "guided", radius=config.radius, eps=config.eps)
    return AttentionCutResult(**vars(found), pseudo_mask=pseudo_mask(soft, config.band))


def cut_on_grid(
    cross: Sequence[NDArray[np.floating]],
    self_attention: Sequence[NDArray[np.floating]],
    grids: Sequence[Grid],
    config: AttentionCutConfig | None = None,
) -> GridCut:
    """`attention_cut` without an image, on the finest grid of all maps."""
    config = config or AttentionCutConfig()
    for number, own in enumerate(grids):
        if len(own) != 2 or min(own) < 1:
            raise ValueError(f"grids[{number}] must be (h, w), both at least 1, got {own}")
    grid = finest_grid([map_grid(m, f"cross[{n}]") for n, m in enumerate(cross)] + list(grids))
    attention = aggregate_cross(cross, grid)
    affinity = aggregate_self(self_attention, grids, grid)
    for _ in range(config.propagate):
        attention = (affinity @ attention.ravel()).reshape(grid)
    probability = object_probability(attention, config.temperature, config.clip)
    unary = unary_energy(probability)
    weights = pairwise_weights(
        affinity, grid, smoothness=config.smoothness, sigma=config.sigma, neighbours=config.neighbours
    )
    labels = dense_min_cut(unary, weights).labels.reshape(grid)
    unary_term, pairwise_term = dense_energy(labels.ravel(), unary, weights)
    swapped = rim_share(labels) > config.swap_rim
    if swapped:
        labels, probability = ~labels, 1 - probability
    likely = probability > 0.5
    union = int((likely | labels).sum())
    return GridCut(
        labels=labels,
        probability=probability,
        cross=min_max(attention),
        energy={"unary": unary_term, "pairwise": pairwise_term, "total": unary_term + pairwise_term},
        confidence=float(np.where(labels, probability, 1 - probability).mean()),
        agreement=int((likely & labels).sum()) / union if union else 1.0,
        swapped=swapped,
    )


def rim_share(inside: NDArray[np.bool_]) -> float:
    """Share of the outermost positions of (h, w) that are true."""
    rim = np.concatenate([inside[0], inside[-1], inside[1:-1, 0], inside[1:-1, -1]])
    return float(rim.mean())
