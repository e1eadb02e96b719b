"""How fast is a student beside its teacher, and how soon does a single photograph have its mask?

Both sides take turns in one run: coarse saliency of photographs at the models' own size, each on one core and as many
side by side as there are cores; then whole predictions, refinement included; then `diffusionseg predict` of one
photograph in a process of its own. Prints medians over the rounds, their spread, and ratios.

    python benchmarks/student.py --photos ECSSD/images
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray
from records import Table, write_tables

from diffusionseg.backbone.threads import available_cores
from diffusionseg.data import find_images, read_image
from diffusionseg.prediction import Segmenter, make_prediction
from diffusionseg.segmenters import load_segmenter

Photo = NDArray[np.uint8]
Work = Callable[[Segmenter, Photo], object]


def photographs_a_second(
    model: Segmenter, photos: Sequence[Photo], work: Callable[[Segmenter, Photo], object]
) -> float:
    """Rate at which all cores together do `work` with each photograph."""
    cores = available_cores()
    copies: SimpleQueue[Segmenter] = SimpleQueue()
    for _ in range(cores):
        copies.put(model.copy_for_thread())

    def one(photo: Photo) -> None:
        copy = copies.get()
        work(copy, photo)
        copies.put(copy)

    with model.side_by_side(cores) as pool:
        list(pool.map(one, photos[:cores]))
        begun = time.perf_counter()
        list(pool.map(one, photos))
        return len(photos) / (time.perf_counter() - begun)


def coarse(model: Segmenter, photo: Photo) -> None:
    """Saliency at the model's own resolution, one view."""
    model.saliency([photo])


def views(model: Segmenter, photo: Photo) -> NDArray[np.float32]:
    """Its mean over the views that the model averages."""
    return model.saliency([photo], model.predict_config.flip, model.predict_config.margins)[0]


def whole(model: Segmenter, photo: Photo) -> None:
    """Saliency, refined to the photograph's size, with mask and boxes."""
    make_prediction(views(model, photo), photo, model.predict_config)


def cold(weights: str, photo: Path) -> float:
    """Seconds of `diffusionseg predict` with one photograph, from start to end."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "diffusionseg", "predict", str(photo), "--weights", weights, "--out", out]
        # As installed packages are, compiled before.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        begun = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=environment)
        return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=40, help="photographs of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--weights", nargs="+", default=["mini", "student", "student-int8"], help="the first is 1")
    parser.add_argument("--json", type=Path, help="also write all times there")
    args = parser.parse_args()
    paths = [image.path for image in find_images([args.photos])][: args.count]
    photos = [np.asarray(read_image(path)) for path in paths]
    models = {name: load_segmenter(name, device="cpu") for name in args.weights}
    measured: dict[str, dict[str, list[float]]] = {}
    for _ in range(args.rounds):
        for name, model in models.items():
            rates = measured.setdefault("coarse saliency, photographs/s", {})
            rates.setdefault(name, []).append(photographs_a_second(model, photos, coarse))
        for name, model in models.items():
            rates = measured.setdefault("mean over its views, photographs/s", {})
            rates.setdefault(name, []).append(photographs_a_second(model, photos, views))
        for name, model in models.items():
            rates = measured.setdefault("whole prediction, photographs/s", {})
            rates.setdefault(name, []).append(photographs_a_second(model, photos, whole))
    for turn in range(args.rounds + 1):
        for name in models:
            seconds = cold(name, paths[0])
            # The first one compiles what was never run.
            if turn:
                measured.setdefault("predict of one photograph, cold, seconds", {}).setdefault(name, []).append(seconds)
    for what, values in measured.items():
        print(what)
        first = statistics.median(values[args.weights[0]])
        for name, rounds in values.items():
            middle = statistics.median(rounds)
            spread = f"{min(rounds):.2f} to {max(rounds):.2f}"
            print(f"  {name:16} {middle:8.2f}  ({spread})  {middle / first:6.2f} of {args.weights[0]}")
    if args.json:
        limits = {"coarse": {"student": 30.0}, "predict": {"mini": 6.0, "student": 1.5}}
        tables = []
        for what, values in measured.items():
            title, unit = what.rsplit(", ", 1)
            some = {name: limit for name, limit in limits.get(title.split()[0], {}).items() if name in values}
            rate = unit.endswith("/s")
            unit = unit if rate else "s"
            tables.append(Table(title, unit, values, args.weights[0], {}, some, more_is_better=rate))
        write_tables(args.json, tables)


if __name__ == "__main__":
    main()
