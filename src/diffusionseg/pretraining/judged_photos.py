"""Annotated photographs that measure a generator in training, and are never trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffusionseg.data import ImageBoxes, LayoutError, ObjectBox, read_boxes, read_image
from diffusionseg.evaluation.corloc import box_area
from diffusionseg.prediction.squeeze import squeeze
from diffusionseg.pretraining.framing import square, squares
from diffusionseg.pretraining.judge_config import JudgeConfig
from diffusionseg.pretraining.photos import Photos

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels, half-open."""


@dataclass(frozen=True, eq=False)
class JudgedPhotos:
    """Photographs with an object of a trained class each, at the size S of training."""

    images: NDArray[np.uint8]
    """(N, S, S, 3) RGB, whole photographs, squeezed."""
    squares: NDArray[np.uint8]
    """(N, S, S, 3) RGB, their centres, as photographs are cropped for training unless they are zoomed out."""
    names: tuple[str, ...]
    """(N) class of each."""
    boxes: tuple[tuple[Box, ...], ...]
    """(N) boxes of all objects of that class, in pixels of `images`."""
    trained_on: tuple[str, ...] = ()
    """Names of the photographs that were left out because they are trained on."""
    config: JudgeConfig = field(default_factory=JudgeConfig)
    """How they judge."""

    def __len__(self) -> int:
        return len(self.images)


def read_judged_photos(
    directory: Path, photos: Photos, config: JudgeConfig | None = None, *, captioned: Photos | None = None
) -> JudgedPhotos:
    """Read up to `limit` photographs of `directory`, evenly spread over its boxes.jsonl, of classes that `photos` has.

    The photographs lie in `directory`/images or in `directory`. The class of one is that of its largest object whose
    class is trained on. Those that `photos` or `captioned` hold too, at the size of training, are left out and named.

    Raises ValueError for a folder without boxes.jsonl, without such a class, or with nothing else than photographs that
    are trained on; LayoutError and ImageError, naming the line or file, for what cannot be read.
    """
    config = config or JudgeConfig()
    path = directory / "boxes.jsonl"
    if not path.is_file():
        raise ValueError(f"--judge {directory}: holds no boxes.jsonl")
    known = set(photos.names)
    annotated = read_boxes(path)
    usable = [a for a in annotated if any(o.name in known for o in a.objects)]
    if not usable:
        there = {o.name for a in annotated for o in a.objects}
        raise ValueError(f"--judge {path}: none of its classes ({_some(there)}) is trained on ({_some(known)})")
    count = min(config.limit, len(usable))
    folder = directory / "images" if (directory / "images").is_dir() else directory
    size = photos.images.shape[1]
    sets = [photos] if captioned is None else [photos, captioned]
    trained = {hashlib.sha256(image.tobytes()).digest() for some in sets for image in some.images}
    images, centres, names, boxes, left_out = [], [], [], [], []
    for one in (usable[i * len(usable) // count] for i in range(count)):
        image = _read(one, folder, path)
        centre = square(image, size)
        forms = [centre, *squares(image, size, zoom_out=True)]
        if any(hashlib.sha256(form.tobytes()).digest() in trained for form in forms):
            left_out.append(one.image)
            continue
        name = max((o for o in one.objects if o.name in known), key=lambda o: box_area(o.box)).name
        images.append(squeeze(np.asarray(image), size))
        centres.append(centre)
        names.append(name)
        boxes.append(tuple(_scaled(o, one, size) for o in one.objects if o.name == name))
    if not images:
        raise ValueError(f"--judge {directory}: all of its photographs are trained on ({_some(left_out)})")
    return JudgedPhotos(np.stack(images), np.stack(centres), tuple(names), tuple(boxes), tuple(left_out), config)


def _read(one: ImageBoxes, folder: Path, annotation: Path) -> Image.Image:
    image = read_image(folder / one.image)
    if image.size != (one.width, one.height):
        size = f"{image.width}x{image.height}"
        raise LayoutError(
            f"{annotation}: {one.image} has {size} pixels, not {one.width}x{one.height}; boxes do not fit"
        )
    return image


def _scaled(one: ObjectBox, image: ImageBoxes, size: int) -> Box:
    # The intersection over union of two boxes stays the same when an image is squeezed.
    across, down = size / image.width, size / image.height
    x0, y0, x1, y1 = one.box
    return x0 * across, y0 * down, x1 * across, y1 * down


def _some(names: Sequence[str] | set[str], number: int = 5) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:number]) + (" …" if len(ordered) > number else "")
