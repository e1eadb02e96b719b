"""From the attention grid to pixels, along the image's edges, with an ignore band."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffusionseg.masks import guided_filter, resize

BACKGROUND, IGNORE, OBJECT = 0, 128, 255


def filtered(
    probability: NDArray[np.floating], image: NDArray[np.uint8], *, radius: float, eps: float
) -> NDArray[np.floating]:
    """A probability (h, w) of the attention grid at the size of its image (H, W, 3) uint8: (H, W) in 0…1.

    It is enlarged bilinearly and filtered with the image as guide. radius: of the filter, in grid cells; eps: of the
    filter.
    """
    height, width = image.shape[:2]
    enlarged = resize(probability, (height, width))
    reach = max(1, round(radius * max(height / probability.shape[0], width / probability.shape[1])))
    return np.clip(guided_filter(image / 255.0, enlarged, reach, eps), 0.0, 1.0)


def pseudo_mask(soft: NDArray[np.floating], band: tuple[float, float]) -> NDArray[np.uint8]:
    """(H, W) uint8: 255 at and above the band, 0 below it, 128 (ignore) inside."""
    low, high = band
    return np.select([soft >= high, soft < low], [OBJECT, BACKGROUND], IGNORE).astype(np.uint8)
