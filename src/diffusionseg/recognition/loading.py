"""An encoder that an earlier run has trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from diffusionseg.data import atomic_write
from diffusionseg.recognition.encoder import Encoder
from diffusionseg.recognition.learning import FOLDER
from diffusionseg.training import CHECKPOINT, has_checkpoint, put_weights, read_averaged, weights_digest


def find_encoder(run: Path, out: Path) -> Path:
    """Folder of the encoder that a run in `out` takes from another, whose folder is `run` or `run`/encoder; once the
    run in `out` has begun and `run` is gone, of the copy that it keeps.

    Raises ValueError naming the flag where there is none.
    """
    for place in (run / FOLDER, *([run] if run.name == FOLDER else []), out / FOLDER):
        if has_checkpoint(place):
            return place
    raise ValueError(
        f"--encoder-from {run}: no {run / FOLDER / CHECKPOINT}; give the folder of a pretrain or distill with "
        "--captioned"
    )


def load_encoder(encoder: Encoder, place: Path) -> dict[str, Any]:
    """Put the encoder of the folder `place` into `encoder`.

    Returns what a run that begins with it should record: the photographs that it learnt from, how, and sha256 of its
    weights. Raises ValueError naming the flag and what is damaged, unfinished or of another shape.
    """
    try:
        weights, done, state = read_averaged(place)
        try:
            learnt = dict(state["run"])
            steps, _ = int(learnt["encoder"]["steps"]), learnt["captioned"]["sha256"]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{place / CHECKPOINT}: does not say what its encoder has learnt") from error
        if done < steps:
            raise ValueError(f"{place}: has {done} of its {steps} steps behind it; let that run go on first")
        # Without what names the classes.
        weights = {name: value for name, value in weights.items() if not name.startswith("head.")}
        put_weights(nn.ModuleDict({"stem": encoder.stem, "grids": encoder.grids}), weights, place)
    except ValueError as error:
        raise ValueError(f"--encoder-from: {error}") from error
    return {**learnt, "sha256": weights_digest(weights)}


def keep_encoder(place: Path, out: Path) -> None:
    """Copy the encoder of the folder `place` into that of a run in `out`, which then no longer needs the other run."""
    if not has_checkpoint(out / FOLDER):
        atomic_write(out / FOLDER / CHECKPOINT, (place / CHECKPOINT).read_bytes())
