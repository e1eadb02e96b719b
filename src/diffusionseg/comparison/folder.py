"""The folder of a comparison: what its predictions are made with, which are missing, and what each took."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from diffusionseg.baselines import METHODS, REFINEMENTS
from diffusionseg.comparison.config import CompareConfig
from diffusionseg.data import atomic_write, json_bytes, read_json_object
from diffusionseg.exploitation import DiffusionSeg
from diffusionseg.prediction.settings import differing, to_json

SETTINGS, SECONDS = "settings.json", "seconds.jsonl"


def made_with(root: Path, model: DiffusionSeg, config: CompareConfig) -> dict[str, Any]:
    """Everything that predictions depend on besides method and refinement."""
    predict = to_json(model.predict_config)
    return {
        "photographs": str(root.resolve()),
        "decoder": model.fingerprint,
        "generator": model.backbone.fingerprint,
        "dtype": model.backbone.dtype_name,
        "features": to_json(model.feature_config),
        **{name: predict[name] for name in ("cut", "flip", "margins")},
        "reading": to_json(config.reading),
    }


def claim(out: Path, wanted: dict[str, Any], overwrite: bool) -> None:
    """Say what the predictions in `out` are made with; ValueError where it holds others."""
    record = out / SETTINGS
    if record.exists() and overwrite:
        for folder in (out / f"{method}-{refinement}" for method in METHODS for refinement in REFINEMENTS):
            shutil.rmtree(folder, ignore_errors=True)
        (out / SECONDS).unlink(missing_ok=True)
    elif record.exists() and (names := differing(read_json_object(record), wanted)):
        raise ValueError(
            f"{out}: holds predictions made with other settings ({', '.join(names)} differ); use another --out or "
            "--overwrite"
        )
    atomic_write(record, json_bytes(wanted))


def missing(
    stem: str, out: Path, config: CompareConfig, timed: dict[str, dict[str, float]]
) -> tuple[tuple[str, str], ...]:
    """(method, refinement) of each prediction of a photograph that is not there, or whose time is not known."""
    known = timed.get(stem, {})
    return tuple(
        (method, refinement)
        for method, refinement in config.folders
        if f"{method}-{refinement}" not in known or not (out / f"{method}-{refinement}" / f"{stem}.png").exists()
    )


def read_seconds(out: Path) -> dict[str, dict[str, float]]:
    """By photograph what its parts took, the last time each was made; a line cut off by a kill is ignored."""
    seconds: dict[str, dict[str, float]] = {}
    path = out / SECONDS
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            record = json.loads(line)
            taken = {str(part): float(value) for part, value in record["seconds"].items()}
            seconds.setdefault(str(record["image"]), {}).update(taken)
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError):
            continue
    return seconds


def write_seconds(out: Path, seconds: dict[str, dict[str, float]]) -> None:
    """Replace the file by one line for each photograph."""
    lines = [json.dumps({"image": stem, "seconds": taken}) + "\n" for stem, taken in seconds.items()]
    atomic_write(out / SECONDS, "".join(lines).encode())
