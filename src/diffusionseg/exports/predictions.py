"""Predictions as a source: the last record of each image, its mask, and where its photograph is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffusionseg.data import Fault, ImageError, output_of, read_json_lines
from diffusionseg.data.grey import read_grey
from diffusionseg.data.output_names import without_anchor
from diffusionseg.evaluation.predicted_boxes import PredictedBoxes
from diffusionseg.exports.config import ExportConfig
from diffusionseg.exports.items import OBJECT, Item

RECORDS = "predictions.jsonl"


def read_predictions(folder: Path, config: ExportConfig) -> tuple[int, Callable[[], Iterator[Item | Fault]]]:
    """The number of images of a folder written by predict, and what reads them in order.

    Raises ValueError with file and line number for a predictions.jsonl that is damaged.
    """
    boxes = PredictedBoxes(folder / RECORDS)
    records: dict[str, dict[str, Any]] = {}
    for _, record in read_json_lines(folder / RECORDS):
        records.pop(record["image"], None)
        records[record["image"]] = record

    def read() -> Iterator[Item | Fault]:
        taken: dict[str, str] = {}
        for number, (name, record) in enumerate(records.items(), 1):
            try:
                exported = _exported_name(name)
                stem = output_of(record)
                mask = _predicted_mask(folder / f"{stem}.mask.png", record)
                if taken.setdefault(exported, name) != name:
                    raise ValueError(f"has the name of {taken[exported]} in an export; predict them into two folders")
                photograph = _photograph(exported, record, config.images)
                found = tuple(((b[0], b[1], b[2], b[3]), score) for b, score in boxes.all(name))
                yield Item(number, exported, stem, mask, config.class_name, photograph, found)
            except (ImageError, ValueError) as error:
                yield Fault(name, str(error))

    return len(records), read


def _exported_name(name: str) -> str:
    """The path of an image below any folder: an absolute one, as lists of photographs give, without its root.

    Raises ValueError for one that leads out of the folder, and for none.
    """
    path = without_anchor(Path(name))
    if not path.name or ".." in path.parts:
        raise ValueError("is no path below the folder of the predictions")
    return path.as_posix()


def _predicted_mask(path: Path, record: dict[str, Any]) -> NDArray[np.uint8]:
    if "error" in record:
        raise ValueError(f"was not predicted: {record['error']}")
    if not path.is_file():
        raise ValueError(f"has no {path.name}; predict it again with --type mask")
    values = read_grey(path).values
    size = (record.get("height", values.shape[0]), record.get("width", values.shape[1]))
    if values.shape != size:
        raise ValueError(
            f"{path.name} is {values.shape[1]}x{values.shape[0]}, {RECORDS} says {size[1]}x{size[0]}; predict it again"
        )
    if not np.isin(values, (0, OBJECT)).all():
        raise ValueError(f"{path.name} holds other levels than 0 and 255; predict it again")
    return values.astype(np.uint8)


def _photograph(name: str, record: dict[str, Any], images: Path | None) -> Path | None:
    if images is not None:
        return images / name
    return Path(record["source"]) if isinstance(record.get("source"), str) else None
