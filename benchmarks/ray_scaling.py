"""Pairs through Ray against pairs made in one process: the same bytes, so many times as fast, and machines may die.

    python benchmarks/ray_scaling.py --count 2000 --out runs/ray             # needs the extra `ray`

Makes a cluster of a head without cores and two machines of one core, as far as Ray can tell, on this very machine.
(1) `synth --engine ray` with one worker makes the first places, (2) with two workers makes all of them, while twice a
machine is killed and another one joins, (3) `--engine local` makes them again. Rates leave starting out and are taken
from when shards were done; that of (2) from the shards before the first kill. `--local DIR` is a set that (3) already
made. Exit status 1 where a byte differs, or a place is missing or there twice.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from diffusionseg.data import read_shards

QUICK = ("--seed", "0", "--steps", "2", "--guidance", "1", "--attempts", "1")
"""Settings of a set that is made for its bytes and not for its pictures."""
ANY = ("--max-border", "1", "--min-area", "0", "--max-area", "1", "--min-agreement", "0")
"""A quality gate that lets nearly every image pass, so that a place is a pair."""


def synth(out: Path, count: int, shard_size: int, classes: str, *engine: str) -> subprocess.Popen[bytes]:
    """Start making a set."""
    size = ("--count", str(count), "--shard-size", str(shard_size), "--classes", classes)
    command = [sys.executable, "-m", "diffusionseg", "synth", *QUICK, *ANY, *size, *engine, "--out", str(out)]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)


def finished(out: Path) -> list[float]:
    """When the shards were done, in order."""
    return sorted(path.stat().st_mtime for path in out.glob("shard-*.json"))


def pace(times: list[float], shard_size: int, workers: int) -> float:
    """Places a second between the first shard of each worker and the last one."""
    kept = times[workers - 1 :]
    return (len(kept) - 1) * shard_size / (kept[-1] - kept[0])


def kill_twice(cluster: Any, nodes: list[Any], run: subprocess.Popen[bytes], out: Path, shards: int) -> list[float]:
    """Kill one of two machines after a third and the other after two thirds of the shards; when that was."""
    moments: list[float] = []
    for part, node in enumerate(nodes, 1):
        while len(finished(out)) < part * shards // 3:
            if run.poll() is not None:
                raise RuntimeError(f"the run ended with {run.returncode} before machine {part} was killed")
            time.sleep(0.5)
        moments.append(time.time())
        cluster.remove_node(node, allow_graceful=False)
        cluster.add_node(num_cpus=1)
    return moments


def differences(one: Path, other: Path) -> list[str]:
    """Files that are in one set only, or have other bytes in the other."""
    names = {p.name for p in one.iterdir()} | {p.name for p in other.iterdir()}
    missing = [name for name in names if not ((one / name).is_file() and (other / name).is_file())]
    return sorted(missing or [n for n in names if (one / n).read_bytes() != (other / n).read_bytes()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="Places of the set.")
    parser.add_argument("--alone", type=int, default=200, help="Places that one worker makes.")
    parser.add_argument("--shard-size", type=int, default=20)
    parser.add_argument("--classes", default="starfish,sunflower,watch,jellyfish")
    parser.add_argument("--local", type=Path, help="Set that was made by --engine local with the same settings.")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    from ray.cluster_utils import Cluster

    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    ray = ("--engine", f"ray:{cluster.address}", "--workers")
    shards = -(-args.count // args.shard_size)
    alone, many = args.out / "one-worker", args.out / "two-workers"
    if synth(alone, args.alone, args.shard_size, args.classes, *ray, "1").wait():
        sys.exit("one worker failed")
    slow = pace(finished(alone), args.shard_size, 1)
    run = synth(many, args.count, args.shard_size, args.classes, *ray, "2")
    moments = kill_twice(cluster, nodes, run, many, shards)
    if run.wait():
        sys.exit("two workers failed")
    cluster.shutdown()
    fast = pace([t for t in finished(many) if t < moments[0]], args.shard_size, 2)
    local = args.local or args.out / "local"
    if args.local is None and synth(local, args.count, args.shard_size, args.classes).wait():
        sys.exit("--engine local failed")
    wrong = differences(many, local)
    held = Counter(sample.index for sample in read_shards(many))
    expected = Counter(sample.index for sample in read_shards(local))
    print("| workers | places a second | times one |\n|---|---|---|")
    print(f"| 1 | {slow:.2f} | |\n| 2 | {fast:.2f} | {fast / slow:.2f} |")
    print(f"\n{args.count} places, {sum(held.values())} pairs; machines killed on the way: {len(moments)}")
    print(f"files that differ from --engine local: {', '.join(wrong) or 'none'}")
    print(f"pairs lost: {sum((expected - held).values())}, there twice: {sum((held - expected).values())}")
    sys.exit(1 if wrong or held != expected else 0)


if __name__ == "__main__":
    main()
