"""Plain pictures: photographs and masks in two folders, as `datasets check`, `eval` and most tools take them."""

from __future__ import annotations

from PIL import Image

from diffusionseg.exports.items import OBJECT, Item
from diffusionseg.exports.photographs import place_photograph
from diffusionseg.exports.writer import Writer


class ImagesWriter(Writer):
    """images/ and masks/: 8-bit grey, 0 background, 255 object, 128 ignore."""

    any_name = True

    def add(self, item: Item) -> int:
        """Write an image's photograph and mask."""
        place_photograph(item, self.root / "images" / item.file, self.config.placing)
        self.save(f"masks/{item.stem}.png", Image.fromarray(item.mask))
        return int((item.mask == OBJECT).any())
