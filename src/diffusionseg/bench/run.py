"""Time the steps of synthesis and of prediction on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from diffusionseg.backbone import Backbone
from diffusionseg.backbone.threads import available_cores, side_by_side
from diffusionseg.bench.floor import matrix_rate, operations, wait_for
from diffusionseg.bench.generator_steps import generator_steps, unet_rows
from diffusionseg.bench.turns import Timing, take_turns
from diffusionseg.prediction import Segmenter, make_prediction
from diffusionseg.synthesis import SynthesisConfig, fill_places

Photo = NDArray[np.uint8]


@dataclass(frozen=True)
class BenchConfig:
    """How thorough the timing is."""

    rounds: int = 5
    """Times that each step is run after one to warm up, at least 1."""
    pairs: int = 1
    """Pairs for each core (on an accelerator: in all) whose making together is timed, at least 0; 0 leaves it out."""


@dataclass(frozen=True)
class Step:
    """One step and how long it took, on one core where the device is the CPU."""

    name: str
    """What it is."""
    timing: Timing
    """Seconds of each round."""
    floor: float | None = None
    """Seconds that its matrix products and convolutions would take at the matrix rate; None where it has none."""


@dataclass(frozen=True)
class BenchReport:
    """What was measured."""

    subject: str
    """Name of the generator or of the weights."""
    device: str
    """`cpu`, `cuda:0`, …"""
    dtype: str
    """Number format."""
    cores: int
    """Cores that work side by side on a CPU; 1 on an accelerator."""
    matrix_rate: float
    """Operations a second of a product of 1024×1024 matrices, on one core where the device is the CPU."""
    steps: tuple[Step, ...]
    """Step by step."""
    images_a_minute: float | None
    """Synthetic images with their masks that all cores make together, rejected ones counted; None without generator."""
    photographs_a_second: float | None
    """Photographs that all cores together segment, reading files left out; None without weights."""


def run_bench(
    subject: str,
    backbone: Backbone | None,
    segmenter: Segmenter | None,
    photos: Sequence[Photo],
    config: BenchConfig | None = None,
    report: Callable[[str], None] = lambda step: None,
) -> BenchReport:
    """Time the steps of a generator, of a segmenter, or of both; `photos` (H, W, 3) are what is segmented.

    `report` is told what comes next. Raises ValueError for neither, or without photographs for a segmenter.
    """
    config = config or BenchConfig()
    if backbone is None and segmenter is None:
        raise ValueError("neither a generator nor weights to time")
    if segmenter is not None and not photos:
        raise ValueError("no photograph to time the weights with")
    device = torch.device("cpu") if backbone is None else backbone.device
    dtype = torch.float32 if backbone is None else backbone.dtype
    on_cpu = device.type == "cpu"
    cores = available_cores() if on_cpu else 1
    settings = SynthesisConfig()
    # Each on one core, as synthesis and prediction work.
    with side_by_side(1, one_core_each=on_cpu) as pool, torch.no_grad():
        report("matrix products")
        rate = pool.submit(matrix_rate, device, dtype).result()
        steps: list[Step] = []
        if backbone is not None:
            report("steps of the generator")
            steps += pool.submit(_generator, backbone, settings, rate, config.rounds).result()
    if segmenter is not None:
        report("steps of a prediction")
        with segmenter.side_by_side(1) as pool:
            steps += pool.submit(_prediction, segmenter, photos[0], config.rounds).result()
    images = photographs = None
    if backbone is not None and config.pairs:
        report("pairs, all cores")
        images = _images_a_minute(backbone, settings, config.pairs * cores)
    if segmenter is not None:
        report("photographs, all cores")
        photographs = _photographs_a_second(segmenter, photos)
    return BenchReport(
        subject=subject,
        device=str(device),
        dtype=str(dtype).removeprefix("torch."),
        cores=cores,
        matrix_rate=rate,
        steps=tuple(steps),
        images_a_minute=images,
        photographs_a_second=photographs,
    )


def _generator(backbone: Backbone, settings: SynthesisConfig, rate: float, rounds: int) -> list[Step]:
    work = generator_steps(backbone, settings)
    call, decoding = operations(work["U-Net call"]), operations(work["decoding"])
    floors = {
        "U-Net call": call,
        "U-Net call, attention read": call,
        "decoding": decoding,
        "pair": unet_rows(settings) * call + decoding,
    }
    whole = {"pair": work.pop("pair")}
    # A pair is some fifty calls: one of it says as much as many of the others.
    timings = take_turns(work, rounds, lambda: wait_for(backbone.device)) | take_turns(
        whole, 1, lambda: wait_for(backbone.device)
    )
    return [Step(n, timing, floors[n] / rate if n in floors else None) for n, timing in timings.items()]


def _prediction(segmenter: Segmenter, photo: Photo, rounds: int) -> list[Step]:
    config = segmenter.predict_config
    saliency = partial(segmenter.saliency, [photo], config.flip, config.margins)
    coarse = saliency()[0]
    work: dict[str, Callable[[], object]] = {
        "coarse saliency": saliency,
        f"refinement ({config.refine})": lambda: make_prediction(coarse, photo, config),
    }
    return [Step(name, timing) for name, timing in take_turns(work, rounds).items()]


def _images_a_minute(backbone: Backbone, settings: SynthesisConfig, count: int) -> float:
    once = replace(settings, attempts=1)
    began = time.perf_counter()
    for _ in fill_places(backbone, ["sunflower"], range(count), 0, once):
        pass
    return 60 * count / (time.perf_counter() - began)


def _photographs_a_second(segmenter: Segmenter, photos: Sequence[Photo]) -> float:
    def once() -> float:
        began = time.perf_counter()
        for _ in segmenter.predict_iter(enumerate(photos)):
            pass
        return len(photos) / (time.perf_counter() - began)

    once()
    return once()
