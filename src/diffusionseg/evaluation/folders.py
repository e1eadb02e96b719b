"""Evaluate a folder of predictions against a folder of masks or a file of boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from diffusionseg.data import find_masks, read_boxes
from diffusionseg.evaluation.corloc import CorLocAccumulator, box_area
from diffusionseg.evaluation.pictures import read_mask, read_saliency
from diffusionseg.evaluation.predicted_boxes import PredictedBoxes
from diffusionseg.evaluation.saliency import SaliencyAccumulator

SUFFIXES = (".saliency.png", ".mask.png", ".png")
"""Prediction of image STEM, in order of preference: soft saliency, then mask, then a bare picture."""


class MissingPredictions(ValueError):
    """A mean over fewer images is another number: not every image of the ground truth has a prediction."""


def evaluate_saliency(
    predictions: Path,
    masks: Path,
    *,
    protocol: str = "tokencut",
    allow_missing: bool = False,
    report: Callable[[int, int], None] = lambda *_: None,
) -> dict[str, Any]:
    """Acc, IoU and maxFβ of the pictures in `predictions` against `masks`, a folder or the root of a known layout.

    Predictions of another size are resized bilinearly and counted in `resized`. Raises MissingPredictions naming what
    is missing; with `allow_missing` a missing prediction counts as empty. Raises ImageError naming a file that cannot
    be read. `report` is called with images done and in all.
    """
    accumulator = SaliencyAccumulator(protocol)
    if not predictions.is_dir():
        raise ValueError(f"{predictions}: no such folder; give the one that predict wrote")
    pairs = [(stem, mask, _prediction_of(predictions, stem)) for stem, mask in find_masks(masks)]
    missing = [stem for stem, _, prediction in pairs if prediction is None]
    _refuse_missing(missing, len(pairs), predictions, allow_missing)
    resized = 0
    for number, (_, mask_path, prediction) in enumerate(pairs, 1):
        mask = read_mask(mask_path)
        if prediction is None:
            accumulator.update(np.zeros(mask.shape, dtype=np.uint8), mask)
        else:
            saliency, was_resized = read_saliency(prediction, mask.shape)
            resized += was_resized
            accumulator.update(saliency, mask)
        report(number, len(pairs))
    return {**accumulator.result(), "missing": len(missing), "resized": resized}


def evaluate_boxes(
    predictions: Path,
    boxes: Path,
    *,
    allow_missing: bool = False,
    area_share: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """CorLoc of the first box of each line of `predictions`/predictions.jsonl against a `boxes.jsonl` file.

    Images are matched by their path, or by file name where that is not ambiguous. `area_share` (least, most), each 0
    to 1, keeps the images whose largest object covers such a share of the image. Raises MissingPredictions naming the
    images without prediction, failed ones included; with `allow_missing` they count as misses.
    """
    predicted = PredictedBoxes(predictions / "predictions.jsonl")
    truth = read_boxes(boxes)
    if area_share is not None:
        least, most = area_share
        if not 0 <= least <= most <= 1:
            raise ValueError(f"area share {area_share}: must be 0 <= least <= most <= 1")
        truth = [
            t
            for t in truth
            if t.objects and least <= max(box_area(o.box) for o in t.objects) / (t.width * t.height) <= most
        ]
        if not truth:
            raise ValueError(f"{boxes}: no image has an object of {least:.0%} to {most:.0%} of its area")
    missing = [t.image for t in truth if t.image not in predicted]
    _refuse_missing(missing, len(truth), predictions, allow_missing)
    accumulator = CorLocAccumulator()
    for t in truth:
        accumulator.update(predicted.best(t.image), [o.box for o in t.objects])
    return {**accumulator.result(), "missing": len(missing)}


def _prediction_of(folder: Path, stem: str) -> Path | None:
    candidates = (folder / f"{stem}{suffix}" for suffix in SUFFIXES)
    return next((path for path in candidates if path.exists()), None)


def _refuse_missing(missing: Sequence[str], images: int, predictions: Path, allow_missing: bool) -> None:
    if missing and not allow_missing:
        raise MissingPredictions(
            f"{predictions}: {len(missing)} of {images} images have no prediction ({', '.join(missing[:5])}"
            f"{' …' if len(missing) > 5 else ''}); predict them, or count them as misses with --allow-missing"
        )
