"""Kill `synth`, `train` and `predict` again and again at random moments and go on: is the end the same?

    python benchmarks/kills.py --photos ECSSD/images --kills 20 --out runs/kills

Each verb runs once undisturbed on one thread. Then it is killed by SIGKILL at a moment drawn from the length of that
run and started again by the same command, in a new folder whenever a run came to its end; at last it may finish. Every
file must then equal the undisturbed one byte for byte, but for the seconds that predictions and metrics tell of. Exit
status 1 where anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

TIMES = ("seconds", "samples_per_second", "photos_per_second")
"""Entries of JSON lines that tell of time."""
UNCOMPARED = ("curves.png",)
"""Files that tell of time."""


@dataclass(frozen=True)
class Job:
    """A verb with its arguments, all but --out."""

    name: str
    arguments: tuple[str, ...]

    def start(self, out: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "diffusionseg", self.name, *self.arguments, "--out", str(out)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        # A group of its own, so that killing it kills all its processes.
        return subprocess.Popen(
            command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )


def finish(job: Job, out: Path) -> float:
    """Run to the end; how long it took in seconds."""
    began = time.monotonic()
    if status := job.start(out).wait():
        raise RuntimeError(f"{job.name} ended with {status}; run it by hand: {' '.join(job.arguments)} --out {out}")
    return time.monotonic() - began


def kill_often(job: Job, out: Path, kills: int, seconds: float, rng: random.Random) -> list[float]:
    """Start and kill `kills` times; the moments in seconds after the start."""
    moments: list[float] = []
    while len(moments) < kills:
        process, moment = job.start(out), rng.uniform(0, seconds)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            moments.append(moment)
        else:
            shutil.rmtree(out)
    return moments


def fingerprints(folder: Path) -> dict[str, str]:
    """SHA-256 of every file that is to be equal, by its path."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name not in UNCOMPARED]
    return {p.relative_to(folder).as_posix(): hashlib.sha256(_content(p)).hexdigest() for p in files}


def _content(path: Path) -> bytes:
    if path.suffix != ".jsonl":
        return path.read_bytes()
    records = [json.loads(line) for line in path.read_text().splitlines()]
    # Photographs come in the order in which they were done.
    timeless = [json.dumps({k: v for k, v in r.items() if k not in TIMES}, sort_keys=True) for r in records]
    return "\n".join(sorted(timeless)).encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="Folder of photographs; the first 32 are used.")
    parser.add_argument("--kills", type=int, default=20, help="Of all three verbs together.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    photos = args.out / "photos"
    photos.mkdir(parents=True)
    for path in sorted(p for p in args.photos.iterdir() if p.is_file())[:32]:
        shutil.copy(path, photos)
    small = ("--steps", "4", "--attempts", "1", "--max-border", "1", "--shard-size", "4")
    jobs = (
        Job("synth", ("--classes", "starfish,sunflower,watch", "--count", "48", *small)),
        Job("train", (str(args.out / "synth"), "--steps", "60", "--save-every", "10", "--views", "1")),
        Job("predict", (str(photos), "--weights", "mini")),
    )
    same = True
    print("| verb | undisturbed, s | killed | first and last moment, s | files equal |\n|---|---|---|---|---|")
    for number, job in enumerate(jobs):
        calm, harried = args.out / job.name, args.out / f"{job.name}-killed"
        seconds = finish(job, calm)
        kills = args.kills // len(jobs) + (number < args.kills % len(jobs))
        moments = kill_often(job, harried, kills, seconds, rng)
        finish(job, harried)
        wanted, got = fingerprints(calm), fingerprints(harried)
        wrong = sorted(name for name in wanted.keys() | got.keys() if wanted.get(name) != got.get(name))
        same = same and not wrong
        print(
            f"| {job.name} | {seconds:.0f} | {len(moments)} | {min(moments):.1f}, {max(moments):.1f} "
            f"| {len(wanted) - len(wrong)} of {len(wanted)} {', '.join(wrong)} |",
            flush=True,
        )
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
