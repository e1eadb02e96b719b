"""COCO: instances of images, and results for the evaluation against somebody's instances."""

from __future__ import annotations

import json
import shutil
from pathlib import PurePosixPath
from typing import Any

from diffusionseg import __version__
from diffusionseg.data import ImageError
from diffusionseg.evaluation.coco import read_classed_instances
from diffusionseg.exports.items import IGNORE, Box, FoundObject, Item, bounds, objects, predicted_objects
from diffusionseg.exports.photographs import place_photograph
from diffusionseg.exports.writer import JsonList, Writer
from diffusionseg.masks import corner_polygons, encode_rle


class CocoWriter(Writer):
    """annotations/instances_default.json, and images/ where photographs are wanted.

    Ignored pixels are an annotation of their own with `iscrowd` 1, which evaluations pass over.
    """

    any_name = True

    def start(self) -> None:
        """Begin the file of instances, and one of annotations that will be appended to it."""
        self._file = self.open("annotations/instances_default.json")
        info = {"description": "Made by diffusionseg, without human labels", "version": __version__}
        self._file.write(f'{{"info": {json.dumps(info)},\n"licenses": [],\n"images": [')
        self._later = self.open("annotations/annotations.tmp")
        self._images, self._annotations, self._number = JsonList(self._file), JsonList(self._later), 0

    def add(self, item: Item) -> int:
        """Write an image's entry, its objects and what is ignored in it."""
        place_photograph(item, self.root / "images" / item.name, self.config.placing)
        height, width = item.mask.shape
        entry = {"id": item.number, "file_name": item.name, "width": width, "height": height}
        self._images.add(json.dumps(entry))
        found = list(objects(item, self.config.parts))
        for one in found:
            self._annotate(item, one, crowd=False)
        ignored = item.mask == IGNORE
        if ignored.any():
            self._annotate(item, FoundObject(ignored, bounds(ignored), None), crowd=True)
        return len(found)

    def _annotate(self, item: Item, found: FoundObject, crowd: bool) -> None:
        self._number += 1
        polygons = self.config.polygons and not crowd
        annotation = {
            "id": self._number,
            "image_id": item.number,
            "category_id": self.classes.number(item.label),
            "iscrowd": int(crowd),
            "area": int(found.mask.sum()),
            "bbox": coco_box(found.box),
            "segmentation": [p.ravel().tolist() for p in corner_polygons(found.mask)]
            if polygons
            else encode_rle(found.mask),
            **({} if found.score is None else {"score": found.score}),
        }
        self._annotations.add(json.dumps(annotation))

    def finish(self) -> None:
        """Append the annotations and the categories."""
        self._file.write('\n],\n"annotations": [')
        self._later.seek(0)
        shutil.copyfileobj(self._later, self._file)
        categories = [{"id": self.classes.number(n), "name": n, "supercategory": ""} for n in self.classes]
        self._file.write(f'\n],\n"categories": {json.dumps(categories)}}}\n')
        self._later.close()
        (self.root / "annotations" / "annotations.tmp").unlink()


class CocoResultsWriter(Writer):
    """results.json: every predicted box with its score and the part of the mask in it.

    Ids of images are those of the instances file that is given, else those of an export as `coco`. Categories are found
    by name; all that has none there is 1, for evaluations that count all as one class.
    """

    any_name = True

    def start(self) -> None:
        """Read the ids, and begin the list."""
        truth = None if self.config.instances is None else read_classed_instances(self.config.instances)
        self._ids = None if truth is None else _ids(truth)
        self._categories = {} if truth is None else {c["name"]: c["id"] for c in truth["categories"]}
        self._file = self.open("results.json")
        self._file.write("[")
        self._results = JsonList(self._file)

    def add(self, item: Item) -> int:
        """Write the objects predicted in an image."""
        image = item.number if self._ids is None else self._ids.get(item.name, self._ids.get(_base(item.name)))
        if image is None:
            raise ImageError(item.name, f"is not in {self.config.instances}, or another one of its name is")
        found = list(predicted_objects(item))
        for one in found:
            result = {
                "image_id": image,
                "category_id": self._categories.get(item.label, 1),
                "bbox": coco_box(one.box),
                "segmentation": encode_rle(one.mask),
                "score": one.score,
            }
            self._results.add(json.dumps(result))
        return len(found)

    def finish(self) -> None:
        """End the list."""
        self._file.write("\n]\n")


def coco_box(box: Box) -> list[float]:
    """A half-open box as COCO has it: x, y, width, height."""
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def _ids(truth: dict[str, Any]) -> dict[str, int | None]:
    """Id by file name, and by its last part where no two images share it (None where they do)."""
    ids: dict[str, int | None] = {}
    for image in truth["images"]:
        base = _base(image["file_name"])
        ids[base] = None if base in ids else image["id"]
    return {**ids, **{image["file_name"]: image["id"] for image in truth["images"]}}


def _base(name: str) -> str:
    return PurePosixPath(name).name
