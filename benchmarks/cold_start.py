"""How soon after its start has `diffusionseg predict` done a single photograph, and how much of that are libraries?

Every command runs in a process of its own, all of them in turn, some rounds over: `predict` of one photograph by each
of `--weights`, and beside it a process that only imports the libraries that do it. Prints medians of
seconds from start to end and of seconds of processor, their spread, and how many times as long as the mere imports
`predict` takes. Where other work runs beside it, seconds of processor say more.

    python benchmarks/cold_start.py --photo ECSSD/images/0001.jpg
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from records import Table, write_tables

COMMON = "rich.progress, numpy, PIL.Image, scipy.ndimage, scipy.sparse.csgraph"
IMPORTS = {
    "student": f"import {COMMON}, onnxruntime",
    "mini": (
        f"import {COMMON}, torch; from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel; "
        "from transformers import CLIPTextModel, CLIPTokenizer"
    ),
}
"""What a photograph is predicted with."""
PROGRAM = """
import typer
def main(option: str = ""):
    {imports}
typer.run(main)
"""
"""Typer loads more than itself when it runs."""


def timed(command: Sequence[str]) -> tuple[float, float]:
    """(seconds from start to end, seconds of processor) of a command in a process of its own."""
    # As installed packages are, compiled before.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, capture_output=True, env=environment)
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def predict(photo: Path, weights: str) -> tuple[float, float]:
    """What `timed` says of `predict` with one photograph."""
    with tempfile.TemporaryDirectory() as out:
        return timed(["-m", "diffusionseg", "predict", str(photo), "--weights", weights, "--out", out])


def described(values: Sequence[float]) -> str:
    """Median and spread."""
    return f"{statistics.median(values):6.2f} ({min(values):.2f} to {max(values):.2f})"


def side(sides: Mapping[str, Sequence[tuple[float, float]]], number: int) -> dict[str, list[float]]:
    """Of all (seconds from start to end, seconds of processor) one of both."""
    return {what: [times[number] for times in rounds] for what, rounds in sides.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--weights", nargs="+", choices=list(IMPORTS), default=list(IMPORTS))
    parser.add_argument("--json", type=Path, help="also write all times there")
    args = parser.parse_args()
    measured: dict[str, dict[str, list[tuple[float, float]]]] = {name: {} for name in args.weights}
    for turn in range(args.rounds + 1):
        for name in args.weights:
            both = {
                "imports alone": timed(["-c", PROGRAM.format(imports=IMPORTS[name])]),
                "predict": predict(args.photo, name),
            }
            # The first round compiles what was never run, and reads from the disk.
            if turn:
                for what, times in both.items():
                    measured[name].setdefault(what, []).append(times)
    for name, sides in measured.items():
        print(f"{name}, one photograph")
        for number, unit in enumerate(("seconds", "seconds of processor")):
            values = side(sides, number)
            for what, seconds in values.items():
                print(f"  {what:14} {described(seconds)} {unit}")
            middle = {what: statistics.median(seconds) for what, seconds in values.items()}
            print(f"  {middle['predict'] / middle['imports alone']:.2f} times the imports")
    if args.json:
        write_tables(
            args.json,
            [
                Table(f"{name}, one photograph, {unit}", "s", side(sides, number), "imports alone")
                for name, sides in measured.items()
                for number, unit in enumerate(("from start to end", "of processor"))
            ],
        )


if __name__ == "__main__":
    main()
