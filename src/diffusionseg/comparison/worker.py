"""What one process of a comparison does: all methods of one photograph, and the measures of one row."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diffusionseg.baselines import METHODS, Reading, Refiner
from diffusionseg.comparison.config import CompareConfig, ModelSource
from diffusionseg.data import read_image, whole_file
from diffusionseg.evaluation.intervals import REPLICATES
from diffusionseg.evaluation.pairs import MaskPair, read_ground_truth
from diffusionseg.evaluation.parts import Wanted, evaluate_pairs
from diffusionseg.evaluation.protocols import saliency_protocol
from diffusionseg.evaluation.results import saliency_results
from diffusionseg.exploitation import DiffusionSeg
from diffusionseg.masks import saliency_picture
from diffusionseg.memory import ran_out


@dataclass(frozen=True)
class Photograph:
    """One photograph and what is still to be found in it."""

    stem: str
    """Name without extension, with sub-folders."""
    image: Path
    """The photograph."""
    mask: Path
    """Its ground truth, read only to see that it can be."""
    wanted: tuple[tuple[str, str], ...]
    """(method, refinement) of each missing prediction; where there is none, the picture is not read."""


@dataclass(frozen=True)
class Found:
    """What became of a photograph."""

    stem: str
    """Its name."""
    seconds: dict[str, float]
    """Of each part of the reading, each method by name, and each refinement of it as METHOD-REFINEMENT."""
    error: str | None = None
    """Why nothing was found."""


class _Process:
    """State of this process, set by `start`."""

    model: DiffusionSeg
    config: CompareConfig
    out: Path


def start(source: ModelSource, config: CompareConfig, out: Path) -> None:
    """Load the model, on one thread; the process's BLAS is on one by its environment."""
    torch.set_num_threads(1)
    _Process.model, _Process.config, _Process.out = source.load(), config, out


def find(photograph: Photograph) -> Found:
    """Write OUT/METHOD-REFINEMENT/STEM.png of everything wanted; an error of this photograph is returned."""
    try:
        read_ground_truth(photograph.mask, _Process.config.undecided)
        return Found(photograph.stem, _find(photograph) if photograph.wanted else {})
    except (ValueError, OSError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not ran_out(error):
            raise
        return Found(photograph.stem, {}, str(error) or type(error).__name__)


def _find(photograph: Photograph) -> dict[str, float]:
    image = np.asarray(read_image(photograph.image))
    # A process has one thread, so that on a CPU its own time does not depend on what else the machine is doing.
    clock = time.process_time if _Process.model.backbone.device.type == "cpu" else time.perf_counter
    reading = Reading(_Process.model, image, _Process.config.reading, clock)
    refiner = Refiner(image, _Process.model.predict_config.cut, clock)
    seconds: dict[str, float] = {}
    for name in dict.fromkeys(method for method, _ in photograph.wanted):
        method = METHODS[name]
        for part in method.reads:
            getattr(reading, part)
        started = clock()
        saliency = np.clip(method.find(reading), 0.0, 1.0)
        seconds[name] = clock() - started
        for refinement in (r for m, r in photograph.wanted if m == name):
            if refinement.startswith("bilateral"):
                # Built for the first map that needs it; the others are told what it took.
                _ = refiner.system
            started = clock()
            refined = refiner.refine(saliency, refinement)
            shared = refiner.shared_seconds if refinement.startswith("bilateral") else 0.0
            seconds[f"{name}-{refinement}"] = clock() - started + shared
            _write(_Process.out / f"{name}-{refinement}" / f"{photograph.stem}.png", refined)
    return seconds | reading.seconds


def _write(path: Path, saliency: NDArray[np.float32]) -> None:
    with whole_file(path) as file:
        saliency_picture(saliency).save(file, "PNG", compress_level=1)


def measure(pairs: Sequence[MaskPair]) -> dict[str, Any]:
    """Measures of one row with their intervals."""
    config = _Process.config
    wanted = Wanted((saliency_protocol(config.protocol),), replicates=REPLICATES, undecided=config.undecided)
    return saliency_results(evaluate_pairs(pairs, wanted), 0, intervals=True)
