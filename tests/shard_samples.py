"""Small samples of the form that shards hold."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from diffusionseg.data import Sample


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def jpg(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 12), (value, 0, 0)).save(buffer, "JPEG")
    return buffer.getvalue()


def sample(index: int) -> Sample:
    mask = np.zeros((12, 16), dtype=np.uint8)
    mask[3:6], mask[6:8] = 255, 128
    return Sample(index, {"jpg": jpg(200), "mask.png": png(mask)}, {"class": "käfer", "box": [0, 3, 16, 6], "b": 1})
