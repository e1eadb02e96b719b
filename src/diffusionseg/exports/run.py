"""Export a source: all that can be read, what cannot is named, and the folder is whole or not there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from diffusionseg import __version__
from diffusionseg.data import Fault, ImageError, json_bytes
from diffusionseg.exports.coco import CocoResultsWriter, CocoWriter
from diffusionseg.exports.config import ExportConfig
from diffusionseg.exports.cvat import CvatWriter
from diffusionseg.exports.folder import MARK, claim, put_in_place, temporary_folder
from diffusionseg.exports.images import ImagesWriter
from diffusionseg.exports.items import ClassNames
from diffusionseg.exports.label_studio import LabelStudioWriter
from diffusionseg.exports.sources import Source, open_source
from diffusionseg.exports.voc import VocWriter
from diffusionseg.exports.writer import Writer
from diffusionseg.exports.yolo import YoloWriter

WRITERS: dict[str, type[Writer]] = {
    "coco": CocoWriter,
    "coco-results": CocoResultsWriter,
    "voc": VocWriter,
    "yolo": YoloWriter,
    "cvat": CvatWriter,
    "label-studio": LabelStudioWriter,
    "images": ImagesWriter,
}


@dataclass(frozen=True)
class ExportSummary:
    """What an export holds."""

    format: str
    """One of FORMATS."""
    images: int
    """Images written."""
    objects: int
    """Objects in them."""
    classes: tuple[str, ...]
    """Classes by number."""
    errors: tuple[tuple[str, str], ...]
    """(file, reason) of each image or shard that could not be exported."""


def export(
    source: Path,
    out: Path,
    config: ExportConfig,
    *,
    overwrite: bool = False,
    report: Callable[[int, int], None] = lambda *_: None,
) -> ExportSummary:
    """Write a folder of predictions, a set of shards or a data set with masks to the folder `out`.

    `out` appears when all is written, in place of an earlier export with `overwrite`; where no image can be exported it
    does not, and the summary's `images` is 0. One image is in memory at a time. `report` is called with the number of
    images done and of all. Raises ValueError for a source that is none and an `out` that holds something else.
    """
    claim(out, source, overwrite)
    opened = open_source(source, config)
    folder = temporary_folder(out)
    try:
        summary = _write(opened, folder, config, report)
        record = {"version": __version__, "source": str(source), "kind": opened.kind, **vars(summary)}
        (folder / MARK).write_bytes(json_bytes(record))
        if summary.images:
            put_in_place(folder, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return summary


def _write(source: Source, folder: Path, config: ExportConfig, report: Callable[[int, int], None]) -> ExportSummary:
    classes, errors, images, objects = ClassNames(source.classes), [], 0, 0
    with WRITERS[config.format](folder, config, classes) as writer:
        for done, item in enumerate(source.read(), 1):
            if isinstance(item, Fault):
                errors.append((item.file, item.reason))
            elif not writer.any_name and not _is_utf8(item.name):
                errors.append((item.name, f"its name is not UTF-8, which {config.format} needs; rename it"))
            else:
                try:
                    objects += writer.add(item)
                    images += 1
                except ImageError as error:
                    errors.append((item.name, error.reason))
            report(done, max(done, source.total))
        writer.finish()
    return ExportSummary(config.format, images, objects, tuple(classes), tuple(errors))


def _is_utf8(name: str) -> bool:
    # Bytes of a name that are none come as lone surrogates.
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
