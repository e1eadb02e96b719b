"""Connected parts of a mask and the boxes around them. Object pixels connect over edges and corners."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from diffusionseg.masks.contracts import bool_mask, unit_map

Box = tuple[int, int, int, int]
"""(x0, y0, x1, y1) in pixels, half-open."""

EIGHT = np.ones((3, 3), dtype=bool)


def largest_component(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep only the connected part of a mask (H, W) bool with most pixels; of equals the first in reading order."""
    labels, count = ndimage.label(bool_mask("mask", mask), structure=EIGHT)
    if count == 0:
        return np.zeros(mask.shape, dtype=bool)
    kept: NDArray[np.bool_] = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    return kept


def fill_holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Set the background pixels of a mask (H, W) bool that no path over pixel edges joins to the border."""
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(bool_mask("mask", mask))
    return filled


def mask_boxes(
    mask: NDArray[np.bool_],
    saliency: ArrayLike | None = None,
    multiple: bool = False,
    min_area: float = 0.01,
) -> tuple[list[Box], list[float]]:
    """Return the boxes of a mask's connected parts, best first, and their scores.

    mask: (H, W) bool. saliency: (H, W) in [0, 1], or None for 1 everywhere. multiple: False gives at most one box,
    that of the part with most pixels, however small; True gives one for each part of at least `min_area` (in [0, 1],
    fraction of the image's area), ordered by the saliency summed over the part.

    A box is (x0, y0, x1, y1) in pixels, half-open; its score is the mean saliency of the part's pixels. An empty mask
    gives two empty lists.
    """
    mask = bool_mask("mask", mask)
    if not 0 <= min_area <= 1:
        raise ValueError(f"min_area must be in [0, 1], got {min_area}")
    weights = None if saliency is None else unit_map("saliency", saliency, mask.shape)[mask]
    labels, count = ndimage.label(mask, structure=EIGHT)
    if count == 0:
        return [], []
    parts = labels[mask]
    areas = np.bincount(parts, minlength=count + 1)[1:]
    sums = np.bincount(parts, weights=weights, minlength=count + 1)[1:]
    if multiple:
        order = [int(k) for k in np.argsort(-sums, kind="stable") if areas[k] >= min_area * mask.size]
    else:
        order = [int(np.argmax(areas))]
    slices = ndimage.find_objects(labels)
    boxes: list[Box] = []
    for k in order:
        rows, columns = slices[k]
        boxes.append((columns.start, rows.start, columns.stop, rows.stop))
    return boxes, [float(sums[k] / areas[k]) for k in order]
