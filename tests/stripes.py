"""Photographs of two classes that no single pixel tells apart."""

import numpy as np
from PIL import Image

from diffusionseg.pretraining import Photos


def striped(seed, upright):
    """(16, 16, 3) of stripes in random colours, upright or lying: no single pixel tells which."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, (2, 3))
    image = colours[(np.arange(16) // 2 + seed) % 2][None].repeat(16, 0)
    return (image if upright else image.transpose(1, 0, 2)).astype(np.uint8)


def striped_photos():
    """A hundred of each class."""
    images = np.stack([striped(seed, seed % 2) for seed in range(200)])
    return Photos(images, np.arange(200) % 2, ("lying", "upright"))


def write_striped(folder, count):
    """`count` of them as files in a folder, a sub-folder each class."""
    for number in range(count):
        place = folder / ("upright" if number % 2 else "lying")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(striped(number, number % 2)).save(place / f"{number}.png")
