"""YOLO's segmentation: a line with class and polygon for each part of an object."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from diffusionseg.exports.items import Item, objects
from diffusionseg.exports.photographs import place_photograph
from diffusionseg.exports.writer import Writer, in_validation
from diffusionseg.masks import centre_polygons

INTO = 0.25
"""Where in its pixel a corner is put, so that readers which round down find the same pixel as those which round to the
nearest whole number."""


class YoloWriter(Writer):
    """images/train, labels/train, the same for val, and data.yaml. Ignored pixels are background."""

    def start(self) -> None:
        """Both parts are named in data.yaml, so both are there."""
        for part in self._parts():
            for kind in ("images", "labels"):
                (self.root / kind / part).mkdir(parents=True)

    def _parts(self) -> tuple[str, ...]:
        return ("train", "val") if self.config.val else ("train",)

    def add(self, item: Item) -> int:
        """Write an image's photograph and lines; of an image without object the file is empty."""
        part = "val" if in_validation(item.name, self.config.val) else "train"
        place_photograph(item, self.root / "images" / part / item.file, self.config.placing)
        found, label = list(objects(item, self.config.parts)), self.classes.number(item.label) - 1
        lines = [line for one in found for line in yolo_lines(one.mask, label)]
        path = self.root / "labels" / part / f"{item.stem}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
        return len(found)

    def finish(self) -> None:
        """Write the folders and the classes. JSON strings are YAML."""
        names = "".join(f"  {number}: {json.dumps(name)}\n" for number, name in enumerate(self.classes))
        folders = f"train: images/train\nval: images/{self._parts()[-1]}\n"
        (self.root / "data.yaml").write_text(f"{folders}names:\n{names}", encoding="utf-8")


def yolo_lines(mask: NDArray[np.bool_], label: int) -> Iterator[str]:
    """A line for each part of a mask (H, W) bool whose pixels share edges: label from 0, then x/W and y/H by turns."""
    size = np.array(mask.shape[::-1])
    for polygon in centre_polygons(mask):
        # Three corners are the least that is read as a polygon.
        corners = np.resize(polygon, (3, 2)) if len(polygon) < 3 else polygon
        yield " ".join([str(label), *(f"{value:.6f}" for value in ((corners + INTO) / size).ravel())])
