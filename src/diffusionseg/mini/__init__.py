"""The embedded default model: a small generator in the Stable Diffusion layout and a decoder trained on its images."""

from __future__ import annotations

from pathlib import Path

NAME = "mini"
"""Name that stands for the embedded model wherever a model is asked for."""


def model_path() -> Path:
    """Folder of the generator, in the Stable Diffusion layout."""
    return Path(__file__).parent / "generator"


def decoder_path() -> Path:
    """Folder of the decoder: `config.json` and `decoder.safetensors`."""
    return Path(__file__).parent / "decoder"


def class_names() -> tuple[str, ...]:
    """Classes that the generator was trained on."""
    return tuple((model_path() / "classes.txt").read_text().splitlines())
