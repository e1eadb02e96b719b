"""Evaluate the boxes of a folder of predictions against a file of boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from diffusionseg.data import ImageBoxes, read_boxes
from diffusionseg.evaluation.box_records import BoxRecord, box_record
from diffusionseg.evaluation.corloc import CorLocAccumulator, box_area
from diffusionseg.evaluation.intervals import REPLICATES, Bootstrap
from diffusionseg.evaluation.missing import refuse_missing
from diffusionseg.evaluation.predicted_boxes import PredictedBoxes
from diffusionseg.evaluation.results import SCHEMA, difference_results, interval_results


def evaluate_boxes(
    predictions: Path,
    boxes: Path,
    *,
    intervals: bool = False,
    against: Path | None = None,
    seed: int = 0,
    split: str | None = None,
    allow_missing: bool = False,
    area_share: tuple[float, float] | None = None,
    record: Callable[[BoxRecord], None] = lambda _: None,
) -> dict[str, Any]:
    """CorLoc of the first box of each line of `predictions`/predictions.jsonl against a `boxes.jsonl` file or a data
    set, of which `split` is a part.

    Images are matched by their path, or by file name where that is not ambiguous. `area_share` (least, most), each 0
    to 1, keeps the images whose largest object covers such a share of the image. `intervals` adds the bootstrap's
    interval, `against` a paired test with the predictions of another folder. `record` is called with every image's
    record. Raises MissingPredictions naming the images without prediction, failed ones included; with `allow_missing`
    they count as misses.
    """
    truth = _chosen(read_boxes(boxes, split), boxes, area_share)
    accumulator, missing, bootstrap = _measured(predictions, truth, allow_missing, seed, record)
    values: dict[str, Any] = {"schema": SCHEMA, **accumulator.result(), "missing": missing}
    if intervals:
        values |= interval_results(bootstrap, "lost")
    if against is not None:
        _, _, other = _measured(against, truth, allow_missing, seed)
        values["against"] = {"predictions": str(against), **difference_results(bootstrap, other)}
    return values


def _chosen(truth: list[ImageBoxes], boxes: Path, area_share: tuple[float, float] | None) -> list[ImageBoxes]:
    if area_share is None:
        return truth
    least, most = area_share
    if not 0 <= least <= most <= 1:
        raise ValueError(f"area share {area_share}: must be 0 <= least <= most <= 1")
    chosen = [
        t
        for t in truth
        if t.objects and least <= max(box_area(o.box) for o in t.objects) / (t.width * t.height) <= most
    ]
    if not chosen:
        raise ValueError(f"{boxes}: no image has an object of {least:.0%} to {most:.0%} of its area")
    return chosen


def _measured(
    predictions: Path,
    truth: Sequence[ImageBoxes],
    allow_missing: bool,
    seed: int,
    record: Callable[[BoxRecord], None] = lambda _: None,
) -> tuple[CorLocAccumulator, int, Bootstrap]:
    predicted = PredictedBoxes(predictions / "predictions.jsonl")
    missing = [t.image for t in truth if t.image not in predicted]
    refuse_missing(missing, len(truth), predictions, allow_missing)
    accumulator, bootstrap = CorLocAccumulator(), Bootstrap(REPLICATES, seed)
    for t in truth:
        before, box = accumulator.hits, predicted.best(t.image)
        accumulator.update(box, [o.box for o in t.objects])
        bootstrap.update(t.image, {"lost corloc": float(accumulator.hits - before)})
        record(box_record(t, box))
    return accumulator, len(missing), bootstrap
