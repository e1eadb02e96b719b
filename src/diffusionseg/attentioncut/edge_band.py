"""The edge of a cut, drawn once more on a larger copy of its photograph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from diffusionseg.attentioncut.colour_config import ColourCutConfig
from diffusionseg.attentioncut.colour_energy import beliefs, contrast_edges
from diffusionseg.attentioncut.colour_models import colour_log_ratio
from diffusionseg.attentioncut.mincut import CutGraph, Edges
from diffusionseg.masks import resize


def edge_cut(
    image: NDArray[np.uint8],
    saliency: NDArray[np.floating],
    cut: NDArray[np.bool_],
    config: ColourCutConfig | None = None,
) -> NDArray[np.bool_]:
    """A cut (h, w) of a smaller copy of a photograph (H, W, 3), brought to this size: (H, W) bool.

    What lies within `band` pixels of the smaller copy from the cut's edge is decided anew, in one cut with
    `fine_smoothness`, by the colours of both sides, the saliency (H, W) in 0…1 and contrast; all else stays, and holds
    its neighbours. The cut takes a time that goes with the edge's length; colours and contrast take one that goes with
    the area. Where this would leave no object, or nothing else, the enlarged cut is returned. Raises ValueError for a
    saliency of another size.

    Source: Lombaert, Sun, Grady & Xu 2005 (cuts in a band around a coarser one).
    """
    config = config or ColourCutConfig()
    if saliency.shape != image.shape[:2]:
        raise ValueError(f"saliency is {saliency.shape}, the image {image.shape[:2]} (height, width)")
    height, width = saliency.shape
    enlarged = resize(cut.astype(np.float32), (height, width)) > 0.5
    window = 2 * config.band + 1
    undecided = (maximum_filter(cut, window) != minimum_filter(cut, window)).astype(np.float32)
    near = resize(undecided, (height, width)) > 0.5
    places = np.flatnonzero(near)
    if not len(places) or enlarged.all() or not enlarged.any():
        return enlarged
    labels = enlarged.ravel()
    pixels = image.reshape(-1, 3).astype(np.float64)
    score = beliefs(saliency, config).ravel()[places]
    score += config.colour * colour_log_ratio(pixels, labels, config.clusters, places)
    number = np.full(labels.size, -1)
    number[places] = np.arange(len(places))
    edges = contrast_edges(image, config.fine_smoothness, near)
    row, column = number[edges.row], number[edges.column]
    for inner, outer in ((row, edges.column), (column, edges.row)):
        held = (inner >= 0) & (number[outer] < 0)
        pull = np.where(labels[outer[held]], edges.weight[held], -edges.weight[held])
        score += np.bincount(inner[held], pull, len(places))
    both = (row >= 0) & (column >= 0)
    graph = CutGraph(len(places), Edges(row[both], column[both], edges.weight[both]))
    found = labels.copy()
    found[places] = graph.labels(score)
    return enlarged if found.all() or not found.any() else found.reshape(height, width)
