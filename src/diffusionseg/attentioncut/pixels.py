"""From the attention grid to pixels, along the image's edges, with an ignore band."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffusionseg.masks import guided_filter, resize

BACKGROUND, IGNORE, OBJECT = 0, 128, 255


def soft_mask(
    labels: NDArray[np.bool_],
    probability: NDArray[np.float64],
    image: NDArray[np.uint8],
    *,
    trust: float,
    radius: float,
    eps: float,
) -> NDArray[np.float64]:
    """Object probability of each pixel: (H, W) in 0…1.

    The cut's labels (h, w) and the unary probability (h, w) are mixed, `trust` (0…1) of it the labels, enlarged
    bilinearly and filtered with the image (H, W, 3) uint8 as guide. radius: of the filter, in grid cells; eps: of the
    filter. So a pixel is sure where cut, attention and the image's edges agree.
    """
    height, width = image.shape[:2]
    mixed = trust * labels.astype(np.float64) + (1 - trust) * probability
    enlarged = resize(mixed, (height, width))
    reach = max(1, round(radius * max(height / labels.shape[0], width / labels.shape[1])))
    return np.clip(guided_filter(image / 255.0, enlarged, reach, eps), 0.0, 1.0)


def pseudo_mask(soft: NDArray[np.float64], band: tuple[float, float]) -> NDArray[np.uint8]:
    """(H, W) uint8: 255 at and above the band, 0 below it, 128 (ignore) inside."""
    low, high = band
    return np.select([soft >= high, soft < low], [OBJECT, BACKGROUND], IGNORE).astype(np.uint8)
