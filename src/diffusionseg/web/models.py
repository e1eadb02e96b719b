"""The models that were allowed at start. A client chooses by name; it never names a file or a hub id."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diffusionseg.backbone import Backbone
    from diffusionseg.prediction import Segmenter
    from diffusionseg.synthesis import SynthesisConfig


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A decoder with its generator, or a student, under the name that clients see."""

    name: str
    """Last part of what was given as --weights."""
    segmenter: Segmenter
    """What predicts."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while the tokenizers of `_reader` work."""
    _reader: list[Backbone] = field(default_factory=list)
    """The generator for checking class names; tokenizers hold state, so the working one is left alone."""

    @property
    def generator(self) -> Backbone | None:
        """What draws; None for a student, which has none."""
        from diffusionseg.exploitation import DiffusionSeg

        return self.segmenter.backbone if isinstance(self.segmenter, DiffusionSeg) else None

    def drawing_generator(self) -> Backbone:
        """The generator. Raises ValueError where there is none."""
        generator = self.generator
        if generator is None:
            raise ValueError(f"{self.name} has no generator to draw with; choose another model")
        return generator

    def check_classes(self, names: Sequence[str], config: SynthesisConfig) -> None:
        """Raise ValueError naming a class that the generator's prompt cannot hold, or where there is no generator."""
        from diffusionseg.synthesis import check_request

        generator = self.drawing_generator()
        with self._lock:
            if not self._reader:
                self._reader.append(generator.replica())
            check_request(self._reader[0], names, config)


def load_models(
    weights: Sequence[str], generator: str | None = None, *, device: str = "auto", dtype: str | None = None
) -> dict[str, LoadedModel]:
    """Load decoders and students as `load_segmenter` does, by name; a `generator` given serves all decoders.

    `device` and `dtype` are those of the decoders; students beside them run on the processor.
    Raises ValueError for two of one name, and what `load_segmenter` raises.
    """
    from diffusionseg.backbone import Backbone
    from diffusionseg.segmenters import is_student, load_segmenter

    names = [Path(place).expanduser().resolve().name for place in weights]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"--weights: several models are named {name!r}; rename a folder")
    students = [place for place in weights if is_student(place)]
    alone = len(students) == len(weights)
    model: str | Backbone | None = generator or None
    if generator and not alone:
        model = Backbone.from_pretrained(generator, device=device, dtype=dtype)

    def load(place: str) -> Segmenter:
        if place in students and not alone:
            return load_segmenter(place)
        # To students alone as well, who refuse what can only be meant for them.
        return load_segmenter(place, model=model, device=device, dtype=dtype)

    return {name: LoadedModel(name, load(place)) for name, place in zip(names, weights, strict=True)}
