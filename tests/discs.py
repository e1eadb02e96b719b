"""Easy pairs: coloured discs on dark ground."""

import numpy as np


def disc_pair(seed, side=64):
    """Image (S, S, 3) and mask (S, S) with an ignored rim."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    centre, radius = rng.uniform(0.3, 0.7, 2) * side, rng.uniform(0.15, 0.3) * side
    distance = np.hypot(y - centre[0], x - centre[1])
    ground, colour = rng.integers(0, 70, 3), rng.integers(150, 255, 3)
    image = np.where((distance < radius)[..., None], colour, ground).astype(np.uint8)
    mask = np.select([distance < radius - 1, distance > radius + 1], [255, 0], 128).astype(np.uint8)
    return image, mask
