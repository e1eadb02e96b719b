"""The models that were allowed at start. A client chooses by name; it never names a file or a hub id."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diffusionseg.backbone import Backbone
    from diffusionseg.exploitation import DiffusionSeg
    from diffusionseg.synthesis import SynthesisConfig


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A decoder with its generator, under the name that clients see."""

    name: str
    """Last part of what was given as --weights."""
    segmenter: DiffusionSeg
    """Decoder and generator."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while the tokenizers of `_reader` work."""
    _reader: list[Backbone] = field(default_factory=list)
    """The generator for checking class names; tokenizers hold state, so the working one is left alone."""

    def check_classes(self, names: Sequence[str], config: SynthesisConfig) -> None:
        """Raise ValueError naming a class that the generator's prompt cannot hold."""
        from diffusionseg.synthesis import check_request

        with self._lock:
            if not self._reader:
                self._reader.append(self.segmenter.backbone.replica())
            check_request(self._reader[0], names, config)


def load_models(
    weights: Sequence[str], generator: str | None = None, *, device: str = "auto", dtype: str | None = None
) -> dict[str, LoadedModel]:
    """Load decoders (`mini`, `mini-synthetic`, folders, hub ids), by name; a `generator` given serves all of them.

    Raises ValueError for two decoders of one name, and what `DiffusionSeg.from_pretrained` raises.
    """
    from diffusionseg.backbone import Backbone
    from diffusionseg.exploitation import DiffusionSeg

    names = [Path(place).expanduser().resolve().name for place in weights]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"--weights: several models are named {name!r}; rename a folder")
    backbone = Backbone.from_pretrained(generator, device=device, dtype=dtype) if generator else None
    return {
        name: LoadedModel(name, DiffusionSeg.from_pretrained(place, device=device, dtype=dtype, backbone=backbone))
        for name, place in zip(names, weights, strict=True)
    }
