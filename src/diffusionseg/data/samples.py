"""One image–mask pair as stored in a shard."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffusionseg.data.images import MAX_PIXELS, read_image
from diffusionseg.data.strict import strict_pillow


class ShardError(ValueError):
    """A shard, or a file in it, that cannot be used; the message begins with its name."""


@dataclass(frozen=True)
class Sample:
    """One image–mask pair as stored."""

    index: int
    """Place in the set, 0 to 999,999,999."""
    files: dict[str, bytes]
    """Content by extension: `jpg`, `mask.png` and, where kept, `attention.png`."""
    meta: dict[str, Any]
    """Class, prompt, seed, box, energy and quality."""
    where: str = field(default="", compare=False)
    """What errors begin with: the shard it comes from."""

    def image_array(self) -> NDArray[np.uint8]:
        """(H, W, 3) RGB. Raises ImageError naming the sample when it is damaged."""
        # A copy, since PyTorch warns of arrays that cannot be written to.
        return np.array(read_image(self._content("jpg"), name=self._name("jpg")))

    def mask_array(self) -> NDArray[np.uint8]:
        """(H, W): 0 background, 255 object, 128 ignore. Raises ShardError when it is damaged or holds other values."""
        mask = self._grey("mask.png")
        if not np.isin(mask, (0, 128, 255)).all():
            raise ShardError(f"{self._name('mask.png')}: holds values other than 0, 128 and 255")
        return mask

    def attention_array(self) -> NDArray[np.uint8]:
        """(h, w) cross-attention of the class name, 0 to 255. Raises ShardError when it is damaged or was not kept."""
        return self._grey("attention.png")

    def _content(self, part: str) -> bytes:
        if part not in self.files:
            raise ShardError(f"{self.where}sample {self.index:09d}: has no {part}")
        return self.files[part]

    def _name(self, part: str) -> str:
        return f"{self.where}{self.index:09d}.{part}"

    def _grey(self, part: str) -> NDArray[np.uint8]:
        content = self._content(part)
        try:
            with strict_pillow(), Image.open(io.BytesIO(content), formats=["PNG"]) as image:
                if image.mode not in ("L", "1"):
                    raise ValueError(f"mode {image.mode}, not 8-bit grey")
                if image.width * image.height > MAX_PIXELS:
                    raise ValueError(f"{image.width}x{image.height} are more than {MAX_PIXELS} pixels")
                return np.array(image.convert("L"))
        # Damaged files make Pillow raise almost anything.
        except Exception as error:
            raise ShardError(f"{self._name(part)}: is damaged ({error})") from error
