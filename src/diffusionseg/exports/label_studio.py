"""Label Studio: tasks with brush regions as predictions, and the labelling interface they belong to."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from diffusionseg import __version__
from diffusionseg.exports.items import FoundObject, Item, objects
from diffusionseg.exports.photographs import place_photograph
from diffusionseg.exports.writer import JsonList, Writer
from diffusionseg.masks import encode_brush

BRUSH, IMAGE = "mask", "image"
"""Names of the two tags of the labelling interface."""
URL = "/data/local-files/?d="
"""Label Studio's address of files in its local storage."""


class LabelStudioWriter(Writer):
    """tasks.json to import, config.xml for the labelling interface. Ignored pixels are background."""

    def start(self) -> None:
        """Begin the list of tasks."""
        self._file = self.open("tasks.json")
        self._file.write("[")
        self._tasks = JsonList(self._file)

    def add(self, item: Item) -> int:
        """Write an image's task."""
        place_photograph(item, self.root / "images" / item.name, self.config.placing)
        found = list(objects(item, self.config.parts))
        # Classes are named in the interface in the order of their numbers.
        self.classes.number(item.label)
        prediction: dict[str, Any] = {
            "model_version": f"diffusionseg {__version__}",
            "result": [region(item, one, number) for number, one in enumerate(found, 1)],
            **({"score": item.boxes[0][1]} if item.boxes else {}),
        }
        url = (URL if self.config.url is None else self.config.url) + quote(item.name)
        self._tasks.add(json.dumps({"data": {IMAGE: url}, "predictions": [prediction]}))
        return len(found)

    def finish(self) -> None:
        """End the list and write the interface."""
        self._file.write("\n]\n")
        (self.root / "config.xml").write_bytes(interface(self.classes))


def region(item: Item, found: FoundObject, number: int) -> dict[str, Any]:
    """The brush region of one object."""
    height, width = found.mask.shape
    return {
        "id": f"{item.number}-{number}",
        "type": "brushlabels",
        "from_name": BRUSH,
        "to_name": IMAGE,
        "origin": "prediction",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": encode_brush(found.mask), "brushlabels": [item.label]},
        **({} if found.score is None else {"score": found.score}),
    }


def interface(classes: Iterable[str]) -> bytes:
    """The labelling interface with a brush for every class."""
    view = ET.Element("View")
    ET.SubElement(view, "Image", name=IMAGE, value=f"${IMAGE}", zoom="true")
    brush = ET.SubElement(view, "BrushLabels", name=BRUSH, toName=IMAGE)
    for name in classes:
        ET.SubElement(brush, "Label", value=name)
    ET.indent(view)
    return ET.tostring(view, encoding="unicode").encode()
