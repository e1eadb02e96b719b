"""CVAT: the archive that its import "Segmentation mask 1.1" takes."""

from __future__ import annotations

import zipfile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffusionseg.data.grey import voc_colours
from diffusionseg.exports.items import Item, objects
from diffusionseg.exports.labelmap import labelmap
from diffusionseg.exports.photographs import place_photograph
from diffusionseg.exports.writer import Writer, png


class CvatWriter(Writer):
    """masks.zip with labelmap.txt, SegmentationClass/, SegmentationObject/ and ImageSets/Segmentation/default.txt.

    Pictures are coloured, so the number of classes has no limit. Ignored pixels are background.
    """

    def start(self) -> None:
        """Begin the archive."""
        self._archive = self.files.enter_context(zipfile.ZipFile(self.root / "masks.zip", "w"))
        self._names: list[str] = []
        # Names that do not fit are refused before anything is written.
        labelmap(self.classes)

    def add(self, item: Item) -> int:
        """Write an image's two pictures."""
        place_photograph(item, self.root / "images" / item.file, self.config.placing)
        found = list(objects(item, self.config.parts))
        for folder, values in (
            ("SegmentationClass", [self.classes.number(item.label)] * len(found)),
            ("SegmentationObject", range(1, len(found) + 1)),
        ):
            labels: NDArray[np.int64] = np.zeros(item.mask.shape, dtype=np.int64)
            for value, one in zip(values, found, strict=True):
                labels[one.mask] = value
            # Colours of the few labels that occur, not of every pixel.
            colours = voc_colours(np.arange(labels.max() + 1))
            self._write(f"{folder}/{item.stem}.png", png(Image.fromarray(colours[labels])))
        # A name ends at a space unless it is quoted.
        self._names.append(f'"{item.stem}"' if " " in item.stem else item.stem)
        return len(found)

    def finish(self) -> None:
        """Write the list of images and the classes."""
        self._write("ImageSets/Segmentation/default.txt", "".join(f"{name}\n" for name in self._names).encode())
        self._write("labelmap.txt", labelmap(self.classes).encode())

    def _write(self, name: str, content: bytes) -> None:
        # A fixed time, so that the same masks give the same bytes.
        self._archive.writestr(zipfile.ZipInfo(name), content)
