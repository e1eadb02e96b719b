"""An encoder that an earlier run has trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from diffusionseg.recognition.encoder import Encoder
from diffusionseg.recognition.learning import FOLDER
from diffusionseg.training import has_checkpoint, put_weights, read_averaged, weights_digest


def load_encoder(encoder: Encoder, run: Path) -> dict[str, Any]:
    """Put the encoder of an earlier `pretrain` or `distill`, whose folder is `run`, into `encoder`.

    Returns what a run that begins with it should record: the photographs that it learnt from, how, and sha256 of its
    weights. Raises ValueError naming the flag and what is missing, damaged, unfinished or of another shape.
    """
    place = run / FOLDER if has_checkpoint(run / FOLDER) else run
    try:
        weights, done, state = read_averaged(place)
        learnt = state.get("run")
        if not isinstance(learnt, dict) or not {"captioned", "encoder"} <= set(learnt):
            raise ValueError(f"{place}: holds no encoder; give a run with --captioned")
        steps = learnt["encoder"]["steps"]
        if done < steps:
            raise ValueError(f"{place}: its encoder has {done} of {steps} steps behind it; let that run go on first")
        # Without what names the classes.
        weights = {name: value for name, value in weights.items() if not name.startswith("head.")}
        put_weights(nn.ModuleDict({"stem": encoder.stem, "grids": encoder.grids}), weights, place)
    except ValueError as error:
        raise ValueError(f"--encoder-from {error}") from error
    return {"captioned": learnt["captioned"], "encoder": learnt["encoder"], "encoder_sha256": weights_digest(weights)}
