"""What can be exported: predictions, sets of shards, and data sets with masks; read one image at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffusionseg.data import (
    Fault,
    ImageError,
    LayoutError,
    MaskSet,
    Sample,
    ShardError,
    list_shards,
    open_dataset,
    read_json_object,
    read_shard,
    read_sidecar,
    shard_name,
)
from diffusionseg.data.grey import GreyPicture, read_grey
from diffusionseg.data.mask_codings import coding_of, object_pixels
from diffusionseg.data.pairs import WITHOUT_IMAGE
from diffusionseg.exports.config import ExportConfig
from diffusionseg.exports.items import IGNORE, OBJECT, Item
from diffusionseg.exports.predictions import RECORDS, read_predictions


@dataclass(frozen=True)
class Source:
    """Images with masks."""

    kind: str
    """predictions, set or data set."""
    total: int
    """Number of images, those that cannot be read included."""
    classes: tuple[str, ...]
    """Classes that are known beforehand."""
    read: Callable[[], Iterator[Item | Fault]]
    """Reads the images in order; what cannot be used comes as Fault in its place."""


def open_source(folder: Path, config: ExportConfig) -> Source:
    """Recognise a folder. Raises ValueError where it is none of the three."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    if (folder / RECORDS).is_file():
        total, read = read_predictions(folder, config)
        return Source("predictions", total, (config.class_name,), read)
    if config.format == "coco-results":
        raise ValueError(f"{folder}: holds no {RECORDS}; --format coco-results is for predictions")
    if config.images is not None:
        raise ValueError(f"--images is for predictions, and {folder} holds no {RECORDS}; leave it out")
    if (folder / "manifest.json").is_file() or any(folder.glob("shard-*.tar")):
        return _shards(folder, config)
    try:
        dataset = open_dataset(folder)
    except LayoutError as error:
        raise ValueError(f"{folder}: holds no {RECORDS}, no shards and no data set ({error})") from error
    if dataset.masks is None:
        raise ValueError(f"{folder}: {dataset.name} has boxes and no masks")
    masks = dataset.masks
    total = len(masks.masks) + len(masks.faults) - len(_without_image(masks))
    return Source("data set", total, (config.class_name,), lambda: _masks(masks, config))


def _shards(folder: Path, config: ExportConfig) -> Source:
    shards = list_shards(folder)
    manifest = read_json_object(folder / "manifest.json") if (folder / "manifest.json").is_file() else {}
    classes = tuple(map(str, manifest.get("set", {}).get("classes") or [config.class_name]))

    def read() -> Iterator[Item | Fault]:
        number = 0
        for shard in shards:
            try:
                for sample in read_shard(folder, shard):
                    number += 1
                    yield _item(number, sample, config)
            except ShardError as error:
                yield Fault(shard_name(shard), str(error))

    return Source("set", sum(_samples(folder, shard) for shard in shards), classes, read)


def _samples(folder: Path, shard: int) -> int:
    try:
        return int(read_sidecar(folder, shard)["samples"])
    except (ShardError, KeyError, TypeError, ValueError):
        return 0


def _item(number: int, sample: Sample, config: ExportConfig) -> Item | Fault:
    stem = f"{sample.index:09d}"
    try:
        mask, photograph = sample.mask_array(), sample.files["jpg"]
    except ShardError as error:
        return Fault(f"{stem}.jpg", str(error))
    return Item(number, f"{stem}.jpg", stem, mask, str(sample.meta.get("class") or config.class_name), photograph)


def _without_image(masks: MaskSet) -> set[str]:
    return {fault.file for fault in masks.faults if fault.reason == WITHOUT_IMAGE}


def _masks(masks: MaskSet, config: ExportConfig) -> Iterator[Item | Fault]:
    yield from masks.faults
    usable = {stem: path for stem, path in masks.masks.items() if stem not in _without_image(masks)}
    for number, (stem, path) in enumerate(sorted(usable.items()), 1):
        photograph = masks.images.get(stem)
        name = stem + (photograph or path).suffix
        try:
            mask = _three_levels(read_grey(path))
        except (ImageError, ValueError) as error:
            yield Fault(name, str(error))
        else:
            yield Item(number, name, stem, mask, config.class_name, photograph)


def _three_levels(picture: GreyPicture) -> NDArray[np.uint8]:
    """A mask of any coding; 128 where it leaves open what a pixel is: void, border, grey between black and white."""
    coding = coding_of(picture)
    if not coding.choices:
        return np.where(object_pixels(picture), np.uint8(OBJECT), np.uint8(0))
    if not {"object", "background"} <= set(coding.choices):
        raise ValueError(f"its mask has {coding.name}; save it as 0 and 255")
    certain, possible = (object_pixels(picture, choice) for choice in ("background", "object"))
    return np.where(certain, np.uint8(OBJECT), np.where(possible, np.uint8(IGNORE), np.uint8(0)))
