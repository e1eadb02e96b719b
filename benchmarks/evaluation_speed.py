"""How long does it take, and how much memory, to evaluate a data set of ordinary size?

Writes masks and predictions of 500 by 400 pixels to a temporary folder (or to --folder, where they stay for the next
run) and evaluates them under the default protocol, under all, and under all with every measure and intervals.

    python benchmarks/evaluation_speed.py --images 5000 --jobs 2
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from PIL import Image

from diffusionseg.engine import LOCAL, Engine
from diffusionseg.evaluation import evaluate_saliency

WIDTH, HEIGHT = 500, 400
RUNS = {
    "default": {},
    "all protocols": {"protocols": ["all"]},
    "all protocols and measures, intervals": {"protocols": ["all"], "measures": ["all"], "intervals": True},
}


def write_pair(folder: Path, number: int) -> None:
    """An ellipse and a soft, noisy guess of it."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    (cy, cx), (ry, rx) = rng.uniform(0.3, 0.7, 2) * (HEIGHT, WIDTH), rng.uniform(0.1, 0.4, 2) * (HEIGHT, WIDTH)
    mask = ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1
    shift = rng.normal(0, 15, 2)
    soft = 1.3 - ((y - cy - shift[0]) / ry) ** 2 - ((x - cx - shift[1]) / rx) ** 2
    noise = np.kron(rng.normal(0, 0.2, (HEIGHT // 10, WIDTH // 10)), np.ones((10, 10)))
    saliency = (255 / (1 + np.exp(-4 * (soft + noise)))).astype(np.uint8)
    Image.fromarray(mask).save(folder / "masks" / f"{number:05}.png", compress_level=1)
    Image.fromarray(saliency).save(folder / "predictions" / f"{number:05}.saliency.png", compress_level=1)


def peak_megabytes(jobs: int) -> float:
    """Most memory held so far: of this process, and of its largest child once for each job."""
    own, child = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (own + jobs * child) / 1024


def processor_seconds() -> float:
    """Time on a core so far, of this process and its children; on an idle machine, the seconds times the processes."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usage)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="keep the pictures here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() if args.folder is None else nullcontext(args.folder) as name:
        folder = Path(name)
        for part in ("masks", "predictions"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        for number in range(args.images):
            if not (folder / "predictions" / f"{number:05}.saliency.png").exists():
                write_pair(folder, number)
        engine = Engine("processes", args.jobs) if args.jobs > 1 else LOCAL
        for what, options in RUNS.items():
            start, spent = time.perf_counter(), processor_seconds()
            values = evaluate_saliency(folder / "predictions", folder / "masks", engine=engine, **options)
            seconds, spent = time.perf_counter() - start, processor_seconds() - spent
            print(
                f"{what}: {values['images']} images of {WIDTH}x{HEIGHT} in {seconds:.1f} s with {args.jobs} processes, "
                f"{spent:.1f} s of cores, at most {peak_megabytes(args.jobs):.0f} MB so far"
            )


if __name__ == "__main__":
    main()
