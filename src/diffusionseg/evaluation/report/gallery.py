"""Which images a report shows, and the small pictures that show them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageDraw

from diffusionseg.data import read_image
from diffusionseg.evaluation.box_records import BoxRecord
from diffusionseg.evaluation.levels import object_of, predicted_mask, saliency_of
from diffusionseg.evaluation.pairs import MaskPair, read_ground_truth, read_prediction
from diffusionseg.evaluation.protocols import SaliencyProtocol
from diffusionseg.masks import mask_boxes, mask_picture, overlay, saliency_picture

NUMBER = 12
"""Images of each kind."""
SIDE = 240
"""Longest side of a small picture in pixels."""
CYAN, ORANGE = (0, 200, 255), (255, 110, 0)
"""Boxes of objects, and the predicted box."""
MAGENTA = (255, 0, 190)
"""The mask: a colour that few objects have."""
T = TypeVar("T")
Views = list[tuple[str, Image.Image]]
"""What each picture shows, and the picture."""


def best_median_worst(ranked: Sequence[T]) -> dict[str, list[T]]:
    """Of images, best first: the `NUMBER` best, those around the median, and the worst, worst first.

    Of fewer than three times as many, all are shown, each once.
    """
    number = len(ranked)
    if number <= 3 * NUMBER:
        first, second = -(-number // 3), -(-2 * number // 3)
    else:
        first, second = NUMBER, number - NUMBER
    middle = (first + second) // 2
    low = max(first, middle - NUMBER // 2)
    return {
        "best": list(ranked[:first]),
        "median": list(ranked[low : min(second, low + NUMBER)]),
        "worst": list(ranked[second:][::-1]),
    }


def spread(ranked: Sequence[T]) -> list[T]:
    """At most `NUMBER` images of all ranks, evenly."""
    places = np.linspace(0, len(ranked) - 1, min(NUMBER, len(ranked))).round().astype(int)
    return [ranked[place] for place in places]


def mask_views(pair: MaskPair, photograph: Path | None, protocol: SaliencyProtocol, undecided: str | None) -> Views:
    """Photograph where there is one, ground truth, saliency, and the mask's outline with the box of its largest part.

    The outline lies on the photograph, without one on the saliency. Raises ImageError naming a file that is unusable.
    """
    truth = object_of(read_ground_truth(pair.mask, undecided), protocol)
    prediction, _ = read_prediction(pair.prediction, truth.shape)
    size = _small(truth.shape[1], truth.shape[0])
    saliency = saliency_picture(saliency_of(prediction, protocol)).resize(size, Image.Resampling.BILINEAR)
    views: Views = []
    ground = saliency.convert("RGB")
    if photograph is not None:
        ground = read_image(photograph).resize(size, Image.Resampling.LANCZOS)
        views.append(("photograph", ground))
    views += [
        ("ground truth", mask_picture(truth).resize(size, Image.Resampling.BOX)),
        ("saliency", saliency),
    ]
    mask = np.asarray(mask_picture(predicted_mask(prediction, protocol)).resize(size, Image.Resampling.BOX)) > 127
    return [*views, ("mask and box", overlay(ground, mask, mask_boxes(mask)[0], colour=MAGENTA))]


def box_views(record: BoxRecord, photograph: Path) -> Views:
    """The photograph with the objects' boxes and the predicted one. Raises ImageError naming one that is unusable."""
    image = read_image(photograph)
    size = _small(*image.size)
    picture = image.resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(picture)
    predicted = [] if record.box is None else [record.box]
    for boxes, colour in ((record.objects, CYAN), (predicted, ORANGE)):
        for box in boxes:
            x0, y0, x1, y1 = (side * size[0] / image.width for side in box)
            draw.rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), outline=colour, width=2)
    return [("boxes", picture)]


def _small(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
