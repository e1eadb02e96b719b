"""The embedded default model: a small generator in the Stable Diffusion layout and two decoders."""

from __future__ import annotations

from pathlib import Path

NAME = "mini"
"""Name that stands for the embedded model wherever a model is asked for."""

DECODERS = {NAME: "decoder", "mini-synthetic": "decoder-synthetic"}
"""Folders of its decoders: the default, which was also trained on photographs that the other one labelled
(self-training), and the one of the paper's method, trained on synthetic pairs alone."""


def model_path() -> Path:
    """Folder of the generator, in the Stable Diffusion layout."""
    return Path(__file__).parent / "generator"


def decoder_path(name: str = NAME) -> Path:
    """Folder of a decoder in `DECODERS`: `config.json` and `decoder.safetensors`."""
    return Path(__file__).parent / DECODERS[name]


def class_names() -> tuple[str, ...]:
    """Classes that the generator was trained on."""
    return tuple((model_path() / "classes.txt").read_text().splitlines())
