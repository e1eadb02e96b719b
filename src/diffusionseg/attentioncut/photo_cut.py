"""A saliency made to agree with the colours and edges of its photograph, on copies of it of several sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffusionseg.attentioncut.colour_config import ColourCutConfig
from diffusionseg.attentioncut.colour_cut import colour_cut
from diffusionseg.attentioncut.edge_band import edge_cut
from diffusionseg.masks import fast_guided_filter, refine, resize

WORTH_IT = 1.5
"""How many times larger than the one before a copy must be, at least, for the cut to go from that one to it."""


def refine_by_colour(
    image: NDArray[np.uint8],
    saliency: NDArray[np.floating],
    config: ColourCutConfig | None = None,
    cut: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """A saliency (h, w) in 0…1 of any size, brought to its photograph's size (H, W, 3) along colours and edges.

    At the working size the guided filter's result is cut (`small_cut`, or the `cut` given), and the cut's edge is drawn
    once more at `fine` where the photograph is large enough (`edge_cut`). Both are mixed, so that values above one half
    are the cut's object and the rest still tells how sure the saliency was; the guided filter enlarges the mixture.
    Where the cut finds no object, or nothing else, the guided filter's result stands alone. Returns (H, W) float32 in
    0…1.
    """
    config = config or ColourCutConfig()
    small, smooth = _at_side(image, saliency, config.side)
    if cut is None:
        cut = _coarse_to_fine(small, smooth, saliency, config)
    size = _size_at(image, config.fine)
    if cut.all() or not cut.any() or max(size) < WORTH_IT * max(cut.shape):
        return refine(_mixed(cut, smooth, config), image, "guided", radius=1.0)
    copy, smooth = _copy(image, size), resize(smooth, size)
    mixed = _mixed(edge_cut(copy, smooth, cut, config), smooth, config)
    # As `refine` would enlarge it, but fitted on this very copy: the edge is no finer.
    return np.clip(fast_guided_filter(image, mixed, copy, radius=1), 0, 1)


def _mixed(cut: NDArray[np.bool_], smooth: NDArray[np.float32], config: ColourCutConfig) -> NDArray[np.float32]:
    """The cut and the saliency (h, w) that it was made of, or that alone where the cut shows nothing."""
    if cut.all() or not cut.any():
        return smooth
    return np.float32(config.trust) * cut + np.float32(1 - config.trust) * smooth


def small_cut(
    image: NDArray[np.uint8], saliency: NDArray[np.floating], config: ColourCutConfig | None = None
) -> NDArray[np.bool_]:
    """The colour cut of a photograph (H, W, 3) with its saliency (h, w) in 0…1, at the working size: (h', w') bool.

    It is begun on a copy of `coarse` pixels, unless the working size is hardly larger, and finished in `finish` rounds.
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
    the smoothness; the finer edge of `refine_by_colour` is not looked at. Where constants decide, the photograph does
    not: stable cuts are right far more often. Below `enough` the remaining cuts are not made. Shapes as for
    `small_cut`.
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
    small = _copy(image, _size_at(image, side))
    return small, refine(saliency, small, "guided")


def _size_at(image: NDArray[np.uint8], side: int) -> tuple[int, int]:
    """(height, width) of a copy of a photograph (H, W, 3) at most `side` pixels long."""
    height, width = image.shape[:2]
    factor = min(1.0, side / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


def _copy(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BOX))
