"""One synthetic image with the mask that its own attention gave."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffusionseg.synthesis.gate import Quality


@dataclass(frozen=True, eq=False)
class SyntheticPair:
    """A synthesised image, its pseudo-mask and how they came about."""

    index: int
    """Place in the set, from 0."""
    class_name: str
    """The object that the prompt names."""
    prompt: str
    """The whole prompt."""
    seed: int
    """Seed of the initial noise, a function of run seed, index and attempt."""
    attempt: int
    """How many images of this place were rejected before."""
    image: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    mask: NDArray[np.uint8]
    """(H, W): 0 background, 255 object, 128 ignore."""
    attention: NDArray[np.float32]
    """(h, w) cross-attention of the class name, 0 to 1, on the attention grid."""
    box: tuple[int, int, int, int] | None
    """(x0, y0, x1, y1) of the object in pixels, half-open; None for an empty mask."""
    energy: dict[str, float]
    """Terms of the cut's energy."""
    swapped: bool
    """Whether the cut's sides were swapped (see `AttentionCutConfig.swap_rim`)."""
    quality: Quality
    """What the gate measured."""

    def meta(self) -> dict[str, Any]:
        """JSON-ready description without the pictures."""
        return {
            "index": self.index,
            "class": self.class_name,
            "prompt": self.prompt,
            "seed": self.seed,
            "attempt": self.attempt,
            "box": self.box,
            "energy": self.energy,
            "swapped": self.swapped,
            "quality": asdict(self.quality),
        }

    def encoded(self) -> dict[str, bytes]:
        """The pair's files by extension: `jpg`, `mask.png`, `attention.png`."""
        attention = np.round(self.attention * 255).astype(np.uint8)
        return {
            "jpg": _encode(self.image, "JPEG", quality=95, subsampling=0),
            "mask.png": _encode(self.mask, "PNG", optimize=True),
            "attention.png": _encode(attention, "PNG"),
        }


def _encode(pixels: NDArray[np.uint8], kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()
