"""What kind of run a folder, or a place in an object store, belongs to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from diffusionseg.data import Where, open_store, output_of, read_json_object
from diffusionseg.data.boxes import is_number
from diffusionseg.status.sets import set_status
from diffusionseg.status.standing import RECENT, Standing, rate

PICTURES = ("mask", "saliency", "rgba", "overlay")
"""Kinds of picture that a run of predict may have written."""
RUNS = {"run.json": "config.json", "pretrain.json": "model/model_index.json"}
"""What a run of training, and of pretraining, writes first, and what last."""


def folder_status(where: Where, *, verify: bool = False) -> Standing:
    """How far the run is that writes, or wrote, a folder, or a set in an object store. Raises ValueError where it
    belongs to none."""
    store = open_store(where)
    if not store.exists():
        raise ValueError(f"{store}: no such folder")
    if store.has("manifest.json"):
        return set_status(store, verify=verify)
    folder = store.local
    if folder and (folder / "predictions.jsonl").exists():
        return _predictions(folder)
    for record in RUNS:
        if folder and (folder / record).exists():
            return _training(folder / record)
    raise ValueError(
        f"{store}: holds no set (manifest.json), predictions (predictions.jsonl) or run of training ({', '.join(RUNS)})"
    )


def _predictions(folder: Path) -> Standing:
    last = {str(record.get("image")): record for record in _lines(folder / "predictions.jsonl")}
    failed = tuple(f"{name}: {record['error']}" for name, record in last.items() if "error" in record)
    done = [record for record in last.values() if "error" not in record]
    written = [path.stat().st_mtime for record in done[-RECENT - 1 :] for path in _picture(folder, record)]
    ended, total = _ended_and_total(folder)
    if ended:
        total = len(last)
    elif total is not None and total < len(last):
        # Runs over other photographs went to the same folder.
        total = None
    whole = ended and not failed
    return Standing(
        folder=str(folder),
        kind="predictions",
        unit="photographs",
        done=len(last) - len(failed),
        total=total,
        per_minute=rate(written, written[0]) if written else None,
        failed=failed,
        resume=None if whole else "the same `diffusionseg predict` command again, which skips what is done",
    )


def _picture(folder: Path, record: dict[str, Any]) -> Iterator[Path]:
    """The first picture of a photograph that is there."""
    paths = (folder / f"{output_of(record)}.{kind}.png" for kind in PICTURES)
    return islice(filter(Path.exists, paths), 1)


def _ended_and_total(folder: Path) -> tuple[bool, int | None]:
    """Whether the last run came to its end, and how many photographs the folder is to hold, where that is known."""
    if not (folder / "settings.json").exists():
        return False, None
    settings = read_json_object(folder / "settings.json")
    number = settings.get("photographs")
    return settings.get("ended") is True, number if isinstance(number, int) else None


def _training(begun: Path) -> Standing:
    settings = read_json_object(begun)
    try:
        total = int(settings.get("training", settings)["steps"])
        of_encoder = int(settings.get("encoder", {}).get("steps", 0))
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{begun}: does not say how many steps the run is to have") from error
    metrics, unit, started = begun.parent / "metrics.jsonl", "steps", begun.stat().st_mtime
    encoder = begun.parent / "encoder" / "metrics.jsonl"
    if encoder.exists() and not metrics.exists():
        metrics, unit, total = encoder, "steps of its encoder", of_encoder
    elif encoder.exists():
        started = max(started, encoder.stat().st_mtime)
    records = _lines(metrics) if metrics.exists() else ()
    # Steps count from 0; lines without a rate tell of checkpoints, which count what is done.
    steps = [int(r["step"]) for r in records if ("lr" in r or "learning_rate" in r) and is_number(r.get("step"))]
    done = min(total, max(steps, default=-1) + 1)
    elapsed = metrics.stat().st_mtime - started if steps else 0
    whole = done == total and (begun.parent / RUNS[begun.name]).exists()
    return Standing(
        folder=str(begun.parent),
        kind="training run",
        unit=unit,
        done=done,
        total=total,
        per_minute=60 * done / elapsed if elapsed > 0 else None,
        resume=None if whole else "the same command again, which goes on from the last checkpoint, if there is one",
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file that may be being written: a line that is not whole is passed over."""
    for line in path.read_bytes().splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            yield record
