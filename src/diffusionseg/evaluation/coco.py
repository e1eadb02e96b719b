"""Average precision and recall of several objects a picture, by COCO's own evaluation code (extra `coco`).

Lin et al., "Microsoft COCO: common objects in context", ECCV 2014. What is found has no class, so all objects are one
class (useCats = 0), as CutLER's evaluation has it.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

from diffusionseg.data import read_json_object
from diffusionseg.data.boxes import is_number
from diffusionseg.evaluation.missing import refuse_missing
from diffusionseg.evaluation.predicted_boxes import PredictedBoxes
from diffusionseg.evaluation.results import SCHEMA

STATISTICS = {"ap": 0, "ap50": 1, "ap75": 2, "ar1": 6, "ar10": 7, "ar100": 8}
"""Place of each number in COCOeval.stats: AP over IoU 0.50 to 0.95, at 0.50, at 0.75, AR with 1, 10, 100 boxes."""


def evaluate_coco(predictions: Path, instances: Path, *, allow_missing: bool = False) -> dict[str, Any]:
    """AP, AP50, AP75 and AR of all boxes of `predictions`/predictions.jsonl against a COCO instances file, 0 to 1.

    A number is None where there is no object to find. Raises MissingPredictions naming images without prediction; with
    `allow_missing` nothing was found there. Raises ValueError where pycocotools is not installed.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise ValueError("--coco needs pycocotools; install it with: pip install 'diffusionseg[coco]'") from error
    data, predicted = read_instances(instances), PredictedBoxes(predictions / "predictions.jsonl")
    missing = [image["file_name"] for image in data["images"] if image["file_name"] not in predicted]
    refuse_missing(missing, len(data["images"]), predictions, allow_missing)
    found = [
        {"image_id": image["id"], "category_id": 1, "bbox": [x0, y0, x1 - x0, y1 - y0], "score": score}
        for image in data["images"]
        for (x0, y0, x1, y1), score in predicted.all(image["file_name"])
    ]
    values: dict[str, Any] = {"schema": SCHEMA, "images": len(data["images"])}
    # It prints tables to stdout, which is kept for results.
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = data
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found) if found else COCO(), "bbox")
        evaluation.params.useCats = 0
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    for name, place in STATISTICS.items():
        value = float(evaluation.stats[place])
        values[name] = None if value < 0 else value
    return {**values, "protocol": "coco, one class", "missing": len(missing)}


def read_instances(path: Path) -> dict[str, Any]:
    """A COCO instances file, all objects taken as one class. Raises ValueError naming the file where it is none."""
    data = read_classed_instances(path)
    images = [{"id": i["id"], "file_name": i["file_name"]} for i in data["images"]]
    annotations = [
        {
            "id": a["id"],
            "image_id": a["image_id"],
            "category_id": 1,
            "bbox": a["bbox"],
            "area": a.get("area", a["bbox"][2] * a["bbox"][3]),
            "iscrowd": int(a.get("iscrowd", 0)),
        }
        for a in data["annotations"]
    ]
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "object"}]}


def read_classed_instances(path: Path) -> dict[str, Any]:
    """A COCO instances file as it is, checked but for what an annotation says of its class; `categories` may be empty.

    Raises ValueError naming the file where it is none.
    """
    data = read_json_object(path)
    for key, needed in (("images", ("id", "file_name")), ("annotations", ("id", "image_id", "bbox"))):
        entries = data.get(key)
        if not isinstance(entries, list) or not all(
            isinstance(e, dict) and all(n in e for n in needed) for e in entries
        ):
            raise ValueError(
                f"{path}: no COCO instances file; `{key}` must be a list of objects with {', '.join(needed)}"
            )
    if not data["images"]:
        raise ValueError(f"{path}: has no images")
    ids = [e["id"] for e in (*data["images"], *data["annotations"])] + [a["image_id"] for a in data["annotations"]]
    if not all(type(number) is int and 0 <= number < 2**53 for number in ids):
        raise ValueError(f"{path}: no COCO instances file; ids are whole numbers")
    if not all(isinstance(image["file_name"], str) for image in data["images"]):
        raise ValueError(f"{path}: no COCO instances file; file names are text")
    for a in data["annotations"]:
        box = a["bbox"]
        if not isinstance(box, list) or len(box) != 4 or not all(is_number(v) for v in box):
            raise ValueError(f"{path}: annotation {a['id']}: a bbox is [x, y, width, height]")
        if not is_number(a.get("area", 0)) or a.get("iscrowd", 0) not in (0, 1):
            raise ValueError(f"{path}: annotation {a['id']}: `area` is a number and `iscrowd` 0 or 1")
    categories = data.setdefault("categories", [])
    if not isinstance(categories, list) or not all(
        isinstance(c, dict) and type(c.get("id")) is int and isinstance(c.get("name"), str) for c in categories
    ):
        raise ValueError(f"{path}: `categories` must be a list of objects with id, a whole number, and name, a text")
    return data
