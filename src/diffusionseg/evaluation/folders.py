"""Evaluate a folder of predictions against a folder of masks or a file of boxes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffusionseg.data import ImageError, find_images
from diffusionseg.evaluation.corloc import CorLocAccumulator
from diffusionseg.evaluation.saliency import SaliencyAccumulator

SUFFIXES = (".saliency.png", ".mask.png", ".png")
"""Prediction of image STEM, in order of preference: soft saliency, then mask, then a bare picture."""

MASK_FOLDERS = ("masks", "ground_truth_mask", "gt", "DUTS-TE-Mask", "DUTS-TR-Mask", "pixelwiseGT-new-PNG")
"""Folders of masks in the layouts of ECSSD, DUTS, DUT-OMRON and TokenCut's copies."""


def find_masks(directory: Path) -> list[tuple[str, Path]]:
    """(stem with sub-folders, file) of every ground-truth mask.

    `directory` holds the masks themselves or is the root of ECSSD, DUTS or DUT-OMRON. Raises ValueError where there is
    none.
    """
    inner = [directory / name for name in MASK_FOLDERS if (directory / name).is_dir()]
    if len(inner) > 1:
        raise ValueError(f"{directory}: holds several folders of masks ({', '.join(p.name for p in inner)}); name one")
    found = find_images([inner[0] if inner else directory], include=("*.png", "*.bmp"))
    if not found:
        raise ValueError(f"{directory}: no mask (*.png) found")
    return [(image.relative.with_suffix("").as_posix(), image.path) for image in found]


def evaluate_saliency(
    predictions: Path, masks: Path, *, allow_missing: bool = False, report: Callable[[int, int], None] = lambda *_: None
) -> dict[str, Any]:
    """Acc, IoU and maxFβ of the pictures in `predictions` against `masks`.

    Predictions of another size are resized bilinearly. Raises ValueError naming what is missing, since a mean over
    fewer images is another number; with `allow_missing` a missing prediction counts as empty.
    """
    pairs = [(stem, mask, _prediction_of(predictions, stem)) for stem, mask in find_masks(masks)]
    missing = [stem for stem, _, prediction in pairs if prediction is None]
    if missing and not allow_missing:
        raise ValueError(
            f"{predictions}: {len(missing)} of {len(pairs)} masks have no prediction ({', '.join(missing[:5])}"
            f"{' …' if len(missing) > 5 else ''}); predict them, or count them as empty with --allow-missing"
        )
    accumulator = SaliencyAccumulator()
    for number, (_, mask_path, prediction) in enumerate(pairs):
        mask = read_grey(mask_path) > 0
        saliency = np.zeros(mask.shape) if prediction is None else _read_saliency(prediction, mask.shape)
        accumulator.update(saliency, mask)
        report(number + 1, len(pairs))
    return {**accumulator.result(), "missing": len(missing)}


def evaluate_boxes(predictions: Path, boxes: Path, *, allow_missing: bool = False) -> dict[str, Any]:
    """CorLoc of the first box of each line of `predictions`/predictions.jsonl against a `boxes.jsonl` file.

    Images are matched by their path, or by file name where the predicted path has folders that the other lacks.
    """
    predicted: dict[str, Any] = {}
    for number, record in _json_lines(predictions / "predictions.jsonl"):
        if "image" not in record:
            raise ValueError(f"{predictions / 'predictions.jsonl'}:{number}: has no image")
        predicted[record["image"]] = record
    by_name = {Path(name).name: record for name, record in predicted.items()}
    accumulator = CorLocAccumulator()
    missing = []
    for number, record in _json_lines(boxes):
        try:
            name, objects = record["image"], [tuple(map(float, o["box"])) for o in record["objects"]]
            if any(len(box) != 4 for box in objects):
                raise ValueError("a box needs four numbers")
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{boxes}:{number}: not image and objects with a box each ({error!r})") from error
        found = predicted.get(name) or by_name.get(Path(name).name)
        if found is None:
            missing.append(name)
        candidates = (found or {}).get("boxes") or []
        accumulator.update(candidates[0] if candidates else None, objects)
    if missing and not allow_missing:
        raise ValueError(
            f"{predictions}: {len(missing)} images of {boxes} have no prediction ({', '.join(missing[:5])}); "
            "predict them, or count them as misses with --allow-missing"
        )
    return {**accumulator.result(), "missing": len(missing)}


def read_grey(path: Path) -> NDArray[np.uint8]:
    """(H, W) levels of a picture, a 1-bit one as 0 and 255. Raises ImageError naming the file."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(str(path), f"cannot be read as a mask ({error})") from error


def _prediction_of(folder: Path, stem: str) -> Path | None:
    candidates = (folder / f"{stem}{suffix}" for suffix in SUFFIXES)
    return next((path for path in candidates if path.exists()), None)


def _read_saliency(path: Path, shape: tuple[int, ...]) -> NDArray[np.float64]:
    values = read_grey(path)
    if values.shape != shape:
        picture = Image.fromarray(values.astype(np.float32))
        resized = picture.resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
        return np.clip(np.asarray(resized, dtype=np.float64) / 255, 0, 1)
    return values.astype(np.float64) / 255


def _json_lines(path: Path) -> list[tuple[int, dict[str, Any]]]:
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    records = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{path}:{number}: not valid JSON ({error})") from error
        if not isinstance(record, dict):
            raise ValueError(f"{path}:{number}: expected a JSON object")
        records.append((number, record))
    return records
