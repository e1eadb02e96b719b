"""Evaluate a folder of predictions against a folder of masks."""

from __future__ import annotations

import glob
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from diffusionseg.data import find_masks
from diffusionseg.engine import LOCAL, Engine
from diffusionseg.evaluation.intervals import REPLICATES
from diffusionseg.evaluation.measures import measure_families
from diffusionseg.evaluation.missing import refuse_missing
from diffusionseg.evaluation.pairs import MaskPair
from diffusionseg.evaluation.parts import Wanted, evaluate_pairs
from diffusionseg.evaluation.protocols import protocols_named
from diffusionseg.evaluation.records import ImageRecord
from diffusionseg.evaluation.results import difference_results, saliency_results

SUFFIXES = (".saliency.png", ".mask.png", ".png")
"""Prediction of image STEM, in order of preference: soft saliency, then mask, then a bare picture."""


def evaluate_saliency(
    predictions: Path,
    masks: Path,
    *,
    protocol: str = "tokencut",
    protocols: Sequence[str] = (),
    measures: Sequence[str] = (),
    intervals: bool = False,
    against: Path | None = None,
    seed: int = 0,
    engine: Engine = LOCAL,
    split: str | None = None,
    undecided: str | None = None,
    allow_missing: bool = False,
    curves: bool = False,
    record: Callable[[ImageRecord], None] | None = None,
    report: Callable[[int, int], None] = lambda *_: None,
) -> dict[str, Any]:
    """Acc, IoU and maxFβ of the pictures in `predictions` against `masks`, a folder or the root of a known layout.

    `protocols`, several or groups such as `all`, takes the place of `protocol`; the first one's numbers lead, all are
    under `protocols`. `measures` adds families of MeasureAccumulator, `intervals` the bootstrap's intervals, `against`
    a paired test with the predictions of another folder. `engine` shares the images out; the result is the same.
    `split` is a part of the data set. `undecided` decides what grey, void and border of the masks count as; without it
    masks that have any are refused.
    `curves` adds precision, recall and F of the first protocol at every threshold, averaged over images.
    `record` is called at the end with every image's record under the first protocol, in the order of their names.

    Predictions of another size are resized bilinearly and counted in `resized`. Raises MissingPredictions naming what
    is missing; with `allow_missing` a missing prediction counts as empty. Raises ImageError naming a file that cannot
    be read. `report` is called with images done and in all.
    """
    wanted = Wanted(
        protocols_named(protocols or (protocol,)),
        measure_families(measures),
        replicates=REPLICATES if intervals or against is not None else 0,
        seed=seed,
        records=record is not None,
        curves=curves,
        undecided=undecided,
    )
    folders = [predictions] if against is None else [predictions, against]
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"{folder}: no such folder; give the one that predict wrote")
    truths = find_masks(masks, split)
    pairs = [_pairs(folder, truths, allow_missing) for folder in folders]
    total = len(truths) * len(folders)
    part = evaluate_pairs(pairs[0], wanted, engine, lambda done, _: report(done, total))
    if record is not None:
        for image in part.records:
            record(image.record(part.accumulators[0].pooled_threshold()))
    missing = sum(pair.prediction is None for pair in pairs[0])
    values = saliency_results(part, missing, intervals=intervals)
    if against is not None and part.bootstrap is not None:
        other = evaluate_pairs(pairs[1], wanted, engine, lambda done, _: report(len(truths) + done, total))
        if other.bootstrap is not None:
            values["against"] = {"predictions": str(against), **difference_results(part.bootstrap, other.bootstrap)}
    return values


def _pairs(predictions: Path, truths: Sequence[tuple[str, Path]], allow_missing: bool) -> list[MaskPair]:
    pairs = [MaskPair(stem, mask, prediction_of(predictions, stem)) for stem, mask in truths]
    missing = [pair.stem for pair in pairs if pair.prediction is None]
    hint = _lying_deeper(predictions, missing[0]) if len(missing) == len(pairs) > 0 and not allow_missing else ""
    refuse_missing(missing, len(pairs), predictions, allow_missing, hint)
    return pairs


def _lying_deeper(predictions: Path, stem: str) -> str:
    """Says where predictions are that lie deeper, as those of `predict --list` with absolute paths do."""
    for suffix in SUFFIXES:
        found = min(predictions.glob(f"*/**/{glob.escape(stem + suffix)}"), default=None)
        if found is not None:
            return f"; they seem to lie deeper, in {found.parents[stem.count('/')]}"
    return ""


def prediction_of(folder: Path, stem: str) -> Path | None:
    """The file that predicts image STEM, None where there is none."""
    candidates = (folder / f"{stem}{suffix}" for suffix in SUFFIXES)
    return next((path for path in candidates if path.exists()), None)
