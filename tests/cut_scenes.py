"""Small photographs for cuts along colours and edges."""

import numpy as np


def red_disc(height=60, width=90):
    """A noisy red disc on green, and the disc."""
    y, x = np.mgrid[:height, :width]
    disc = np.hypot(y - height / 2, x - width / 2) < 0.3 * min(height, width)
    noise = np.random.default_rng(0).integers(-20, 20, (height, width, 3))
    return np.clip(np.where(disc[..., None], [200, 60, 40], [50, 140, 70]) + noise, 0, 255).astype(np.uint8), disc


def textured(height, width):
    """Patches and noise of no clear object, so that every round of a cut changes something, and a vague saliency."""
    rng = np.random.default_rng(5)
    patches = np.kron(rng.integers(40, 200, (height // 12, width // 12, 3)), np.ones((12, 12, 1)))
    image = np.clip(patches + rng.normal(0, 30, patches.shape), 0, 255).astype(np.uint8)
    return image, rng.uniform(0.3, 0.7, (8, 12))
