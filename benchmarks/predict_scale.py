"""Does `predict` over very many photographs stay small, lose nothing, and begin at once?

Writes small photographs, one in a hundred of them damaged, and a list of a million paths to a temporary folder (or to
--folder), runs `diffusionseg predict` on them in a process of its own and watches the memory of all its processes. By
default with a tiny decoder and generator of random weights, so that what is measured is the run, not the model.

    python benchmarks/predict_scale.py --photographs 20000 --listed 1000000
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from diffusionseg.backbone import Backbone
from diffusionseg.backbone.random_models import tiny_backbone
from diffusionseg.exploitation import Decoder, DecoderConfig, DiffusionSeg, FeatureConfig, extract_features

EARLY = 2000
"""Photographs after which the memory is to have its final size."""
WATCHED = 30.0
"""Seconds that the run over the list is watched after its first photograph."""


def write_photographs(folder: Path, number: int) -> set[str]:
    """Photographs of 48 by 36 pixels, and every hundredth none: cut off, empty, or text; the names of these."""
    folder.mkdir(parents=True, exist_ok=True)
    damaged = set()
    for place in range(number):
        path = folder / f"{place:06}.jpg"
        kind = place // 100 % 3 if place % 100 == 50 else None
        if kind is not None:
            damaged.add(path.name)
        if path.exists():
            continue
        small = np.random.default_rng(place).integers(0, 255, (3, 4, 3), dtype=np.uint8)
        Image.fromarray(small).resize((48, 36), Image.Resampling.BICUBIC).save(path)
        if kind is not None:
            whole = path.read_bytes()
            path.write_bytes((whole[: len(whole) // 2], b"", b"this is not a photograph\n")[kind])
    return damaged


def write_tiny_model(folder: Path) -> Path:
    """A decoder of random weights and its generator, which reads pictures of 16 by 16 pixels."""
    tiny_backbone("sd1").save_pretrained(folder / "generator")
    backbone = Backbone.from_pretrained(folder / "generator", device="cpu")
    features = FeatureConfig(timesteps=(50,), image_size=16)
    channels = [level.shape[1] for level in extract_features(backbone, torch.zeros(1, 3, 16, 16), features)]
    torch.manual_seed(0)
    DiffusionSeg(backbone, Decoder(channels, DecoderConfig(width=16)), features).save_pretrained(folder / "decoder")
    return folder / "decoder"


def tree_megabytes(process: int) -> float:
    """Resident memory of a process and all below it; pages that they share count for each."""
    total, waiting = 0, [process]
    while waiting:
        one = waiting.pop()
        try:
            total += int(Path(f"/proc/{one}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            waiting += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except OSError:
            # It has just ended.
            continue
    return total / 2**20


@dataclass
class Watched:
    """A run that was watched."""

    status: int = 0
    """Exit status."""
    printed: str = ""
    """What it wrote to standard output."""
    seconds: float = 0.0
    """Until its end."""
    first: float | None = None
    """Seconds until its first line of predictions.jsonl."""
    peaks: dict[str, float] = field(default_factory=dict)
    """Most memory so far in MB, `early` after EARLY lines and `late` at the end."""


def watch(command: list[str], records: Path, enough: Callable[[float, int], bool] = lambda *_: False) -> Watched:
    """Run a command until it ends, or until `enough` says so of the seconds since its first line and of its lines."""
    begun, lines, offset, found, peak = time.perf_counter(), 0, 0, Watched(), 0.0
    with subprocess.Popen([sys.executable, "-m", "diffusionseg", *command], stdout=subprocess.PIPE, text=True) as run:
        while run.poll() is None:
            time.sleep(0.1)
            if records.exists():
                with records.open("rb") as file:
                    file.seek(offset)
                    new = file.read()
                lines, offset = lines + new.count(b"\n"), offset + len(new)
            now = time.perf_counter() - begun
            peak = max(peak, tree_megabytes(run.pid))
            found.peaks["late"] = peak
            if lines < EARLY:
                found.peaks["early"] = peak
            if lines and found.first is None:
                found.first = now
            if found.first is not None and enough(now - found.first, lines):
                run.send_signal(signal.SIGTERM)
                break
        found.printed = run.communicate()[0]
    found.status, found.seconds = run.returncode, time.perf_counter() - begun
    return found


def check_folder(folder: Path, number: int, options: list[str]) -> None:
    """The run over the folder, and the same again."""
    damaged = write_photographs(folder / "photos", number)
    out = folder / "out"
    command = ["predict", str(folder / "photos"), "--out", str(out), "--json", *options]
    found = watch(command, out / "predictions.jsonl")
    values = json.loads(found.printed)
    early, late = found.peaks["early"], found.peaks["late"]
    listed = {error["image"] for error in values["errors"]}
    print(f"{number} photographs in {found.seconds:.0f} s, the first after {found.first or 0:.1f} s")
    print(f"peak memory {early:.0f} MB after {EARLY}, {late:.0f} MB after all: ratio {late / early:.3f}")
    print(f"{len(damaged)} damaged, {len(listed)} listed, the same: {listed == damaged}; exit status {found.status}")
    lines = [json.loads(line)["image"] for line in (out / "predictions.jsonl").read_text().splitlines()]
    print(f"{len(lines)} lines, {len(set(lines))} different")
    again = watch(command, out / "predictions.jsonl")
    values = json.loads(again.printed)
    tried = {error["image"] for error in values["errors"]}
    print(
        f"again: {values['predicted']} predicted, {values['skipped']} skipped, {len(tried)} tried once more, "
        f"the damaged ones: {tried == damaged}; exit status {again.status}, {again.seconds:.0f} s, "
        f"{again.peaks['late']:.0f} MB"
    )


def check_list(folder: Path, number: int, options: list[str]) -> None:
    """The beginning of a run over a list of `number` different paths, of which many are links to the same folder."""
    names = [path.name for path in sorted((folder / "photos").iterdir())]
    links = -(-number // len(names))
    (folder / "links").mkdir(exist_ok=True)
    with (folder / "list.txt").open("w") as file:
        for link in range(links):
            place = folder / "links" / f"{link:04}"
            if not place.is_symlink():
                place.symlink_to(folder / "photos")
            file.writelines(f"{place}/{name}\n" for name in names[: number - link * len(names)])
    out = folder / "out-list"
    command = ["predict", "--list", str(folder / "list.txt"), "--out", str(out), *options]
    found = watch(command, out / "predictions.jsonl", lambda seconds, _: seconds > WATCHED)
    print(
        f"list of {number}: first photograph after {found.first or 0:.1f} s, {found.peaks['late']:.0f} MB at most in "
        f"{found.seconds:.0f} s; stopped with exit status {found.status}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=20_000)
    parser.add_argument("--listed", type=int, default=1_000_000, help="lines of the list")
    parser.add_argument("--weights", help="decoder; default: a tiny one of random weights")
    parser.add_argument("--engine", default="local")
    parser.add_argument("--folder", type=Path, help="keep everything here; must not hold earlier results")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() if args.folder is None else nullcontext(args.folder) as name:
        folder = Path(name).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        weights = args.weights or str(write_tiny_model(folder / "model"))
        options = ["--weights", weights, "--type", "mask", "--refine", "none", "--device", "cpu"]
        options += ["--engine", args.engine]
        check_folder(folder, args.photographs, options)
        check_list(folder, args.listed, options)


if __name__ == "__main__":
    main()
