"""The embedded default model: a small generator in the Stable Diffusion layout two decoders and a student."""

from __future__ import annotations

from pathlib import Path

NAME = "mini"
"""Name that stands for the embedded model wherever a model is asked for."""

WEIGHTS = {NAME: "decoder", "mini-synthetic": "decoder-synthetic", "student": "student"}
"""Folders of what predicts: the default decoder, which was also trained on photographs that the next one labelled
(self-training), the one of the paper's method, trained on synthetic pairs alone, and a student of the first."""


def model_path() -> Path:
    """Folder of the generator, in the Stable Diffusion layout."""
    return Path(__file__).parent / "generator"


def weights_path(name: str = NAME) -> Path:
    """Folder of one of `WEIGHTS`: `config.json` and `decoder.safetensors` or `student.onnx`."""
    return Path(__file__).parent / WEIGHTS[name]


def class_names() -> tuple[str, ...]:
    """Classes that the generator was trained on."""
    return tuple((model_path() / "classes.txt").read_text().splitlines())
