"""Does the planning table hold on a cluster? Its engine is real, its accelerators only sleep.

Runs the shards of a set through Ray (`run_units`, as `synth` does) with 1, 8 and 64 workers on nodes of eight that Ray
simulates in processes of this machine. A worker sleeps as long as a shard would take by `cost_model.py`, divided by
--faster; how many attempts its places need is drawn at random, so shards differ as real ones do. Prints how long each
run took beside what the table says, the work divided by the workers; the time until a worker is up is told apart. What
a shard costs the engine weighs --faster times as much here as on real accelerators.

    python benchmarks/simulated_cluster.py --pairs 50000
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from diffusionseg.engine import Engine, Share, Worker, run_units

PLACES = 64
"""Places of a shard."""
NODE = 8
"""Workers of a node."""


def shard_seconds(shards: int, image_seconds: float, accepted: float, seed: int = 0) -> list[float]:
    """Seconds of each shard, where a place is tried until an image is accepted."""
    attempts = np.random.default_rng(seed).geometric(accepted, (shards, PLACES)).sum(1)
    return [float(seconds) for seconds in attempts * image_seconds]


def sleeper(share: Share) -> Worker:
    """A worker whose unit is (number of a shard, its seconds); tells who it is and when it began and ended."""

    def work(unit: tuple[int, float]) -> tuple[int, float, float]:
        begun = time.time()
        time.sleep(unit[1])
        return share.number, begun, time.time()

    return work


@dataclass(frozen=True)
class Run:
    """What became of a run."""

    done: list[int]
    """Numbers of the shards, as they were done."""
    start: float
    """Seconds until the last worker had its first shard."""
    seconds: float
    """Mean over the workers of the time from the first shard until the end of the run."""
    gap: float
    """Mean seconds between two shards of a worker."""


def measured(workers: int, seconds: list[float]) -> Run:
    """Do the shards on a cluster of its own."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    for node in range(-(-workers // NODE)):
        cluster.add_node(num_cpus=min(NODE, workers - node * NODE))
    try:
        begun = time.time()
        found = list(run_units(Engine("ray", workers, address=cluster.address), sleeper, enumerate(seconds)))
    finally:
        ray.shutdown()
        cluster.shutdown()
    spans: dict[int, list[tuple[float, float]]] = {}
    for _, (worker, *span) in found:
        spans.setdefault(worker, []).append((span[0], span[1]))
    firsts = [min(span)[0] for span in spans.values()]
    end = max(span[1] for own in spans.values() for span in own)
    gaps = [later[0] - before[1] for own in spans.values() for before, later in pairwise(sorted(own))]
    return Run(
        [number for (number, _), _ in found],
        max(firsts) - begun,
        sum(end - first for first in firsts) / workers,
        sum(gaps) / max(1, len(gaps)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=50_000)
    parser.add_argument("--image-tflop", type=float, default=51.0, help="operations of an image; 51: SD 1.5")
    parser.add_argument("--tflops", type=float, default=100.0, help="that an accelerator sustains")
    parser.add_argument("--accepted", type=float, default=0.5, help="share of images that pass the gate")
    parser.add_argument("--faster", type=float, default=100.0, help="how much quicker than real accelerators to sleep")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--longest", type=float, default=120.0, help="seconds; of longer runs only a part is done")
    args = parser.parse_args()
    every = shard_seconds(-(-args.pairs // PLACES), args.image_tflop / args.tflops / args.faster, args.accepted)
    hours = sum(every) * args.faster / 3600
    print(f"{len(every)} shards, {hours:.1f} hours of one accelerator; {args.faster:g} times faster")
    for workers in args.workers:
        part = every[: max(workers, int(len(every) * min(1.0, args.longest * workers / sum(every))))]
        expected = sum(part) / workers
        run = measured(workers, part)
        wrong = len(run.done) != len(part) or set(run.done) != set(range(len(part)))
        print(
            f"{workers:3} workers: {len(part)} shards, by the table {expected:.2f} s each, took {run.seconds:.2f} s "
            f"({expected / run.seconds:.1%} of the table's rate); {run.gap * 1000:.1f} ms between shards; "
            f"all workers up after {run.start:.0f} s{'; SHARDS LOST OR DOUBLED' if wrong else ''}",
            flush=True,
        )


if __name__ == "__main__":
    main()
