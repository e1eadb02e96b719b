"""Object and background of a small photograph by their colours and edges: a minimum cut, again and again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffusionseg.attentioncut.colour_config import ColourCutConfig
from diffusionseg.attentioncut.colour_energy import beliefs, contrast_edges, inside_margin
from diffusionseg.attentioncut.colour_models import colour_log_ratio
from diffusionseg.attentioncut.mincut import CutGraph

SETTLED = 0.002
"""Share of the pixels that may still change their side in the last round."""


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
    Raises ValueError for a saliency of another size.

    Source: Boykov & Jolly 2001 (contrast); Rother, Kolmogorov & Blake 2004 (Gaussian mixtures, iteration, start from a
    frame); Wei, Wen, Zhu & Sun 2012 (the border as background).
    """
    config = config or ColourCutConfig()
    if saliency.shape != image.shape[:2]:
        raise ValueError(f"saliency is {saliency.shape}, the image {image.shape[:2]} (height, width)")
    believed = beliefs(saliency, config).ravel()
    pixels = image.reshape(-1, 3).astype(np.float64)
    graph = CutGraph(image.shape[0] * image.shape[1], contrast_edges(image, config.smoothness))
    if start is None:
        inside = inside_margin(saliency.shape, config.margin)
        start = inside if not inside.all() else saliency > 0.5
    labels = start.ravel()
    for _ in range(config.iterations):
        score = believed + config.colour * colour_log_ratio(pixels, labels, config.clusters)
        before, labels = labels, graph.labels(score)
        if np.count_nonzero(before != labels) <= SETTLED * len(labels):
            break
    return labels.reshape(saliency.shape)
