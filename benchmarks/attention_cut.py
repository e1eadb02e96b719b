"""How long does AttentionCut's minimum take on a dense graph, beside its peers, and is it the minimum?

On random smooth attention and affinities of a grid (32x32 by default, every position joined to every other), and on
attention that `mini` gave while it drew images of twice its own size (32x32 as well), all sides in turn on one
thread: our cut (`dense_min_cut`, with Numba and without, and with it the building of the graph), SciPy's maximum flow
on the whole graph (`min_cut`), TokenCut's way on the same affinities (second eigenvector of the normalised cut), and
PyMaxflow, which is GPL and therefore installed in an environment of its own (left out with --no-pymaxflow). The last
two, which are slow, take the first `--peers` instances of each kind. Energies are compared: exit status 1 where ours is
above another's by more than the rounding of capacities allows, or where Numba changes a label.

    python benchmarks/attention_cut.py --random 1000 --real 200 --peers 25
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from records import Table, write_tables
from scipy import ndimage, sparse

from diffusionseg.attentioncut import (
    aggregate_cross,
    aggregate_self,
    dense_cut,
    dense_energy,
    dense_min_cut,
    min_cut,
    object_probability,
    unary_energy,
)
from diffusionseg.attentioncut.aggregate import finest_grid
from diffusionseg.attentioncut.pairwise import Floats, pairwise_weights
from diffusionseg.baselines.normalised_cut import second_eigenvector

CLASSES = ("sunflower", "starfish", "watch", "grand piano", "jellyfish", "airplanes")
PACKAGE = "pymaxflow==1.3.2"
THEIRS = """
import json, sys, time
import maxflow, numpy as np
found = []
data = np.load(sys.argv[1])
for number in range(len(data.files) // 2):
    unary, weights = data[f"u{number}"], data[f"w{number}"]
    begun = time.perf_counter()
    count = len(unary)
    graph = maxflow.Graph[float](count, count * count)
    nodes = graph.add_nodes(count)
    row, column = np.triu_indices(count, 1)
    strength = weights[row, column]
    graph.add_edges(row, column, strength, strength)
    for i in range(count):
        graph.add_tedge(i, unary[i, 0], unary[i, 1])
    graph.maxflow()
    labels = [graph.get_segment(i) == 0 for i in range(count)]
    found.append([time.perf_counter() - begun, labels])
json.dump(found, open(sys.argv[2], "w"))
"""


def instance(side: int, seed: int) -> tuple[Floats, Floats]:
    """Unary (N, 2) of a smooth, noisy attention map, and the affinity (N, N) of smooth random features."""
    rng = np.random.default_rng(seed)
    attention = ndimage.gaussian_filter(rng.normal(size=(side, side)), side * rng.uniform(0.05, 0.15))
    attention = attention / attention.std() + rng.uniform(0.1, 0.8) * rng.normal(size=(side, side))
    spread = side * rng.uniform(0.03, 0.12, 8)
    features = np.stack([ndimage.gaussian_filter(rng.normal(size=(side, side)), width) for width in spread], -1)
    features = features.reshape(side * side, -1)
    features /= features.std(0)
    likeness = features @ features.T * rng.uniform(0.2, 1.0)
    affinity = np.exp(likeness - likeness.max(1, keepdims=True))
    affinity /= affinity.sum(1, keepdims=True)
    return unary_energy(object_probability(attention, 0.12, 0.02)), affinity


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds, and what came of it."""
    begun = time.perf_counter()
    result = work()
    return 1000 * (time.perf_counter() - begun), result


def by_pymaxflow(problems: list[tuple[Floats, Floats]]) -> list[tuple[float, np.ndarray]]:
    """(milliseconds, labels) of PyMaxflow for each problem."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "venv", with_pip=True)
        python = folder / "venv" / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", PACKAGE, "numpy"], check=True)
        np.savez(
            folder / "in.npz", **{f"{k}{n}": a for n, p in enumerate(problems) for k, a in zip("uw", p, strict=True)}
        )
        subprocess.run([python, "-c", THEIRS, folder / "in.npz", folder / "out.json"], check=True)
        found = json.loads((folder / "out.json").read_text())
    return [(1000 * seconds, np.array(labels)) for seconds, labels in found]


def random_instances(count: int, side: int) -> Iterator[tuple[Floats, Floats]]:
    """`count` of them, of a grid of `side` by `side`."""
    return (instance(side, seed) for seed in range(count))


def real_instances(count: int) -> Iterator[tuple[Floats, Floats]]:
    """`count` of them, of images that `mini` draws of twice its own size in four steps."""
    import torch

    from diffusionseg.backbone import Backbone
    from diffusionseg.synthesis import SynthesisConfig
    from diffusionseg.synthesis.sampling import draft, draw_group

    torch.set_num_threads(1)
    backbone = Backbone.from_pretrained("mini", device="cpu")
    config = SynthesisConfig(steps=4, reread_noises=0, image_size=2 * backbone.image_size)
    for number in range(count):
        _, _, maps = draw_group(backbone, [draft(0, number, 0, CLASSES[number % len(CLASSES)])], config)
        cross = [values[0].numpy() for values in maps.cross.values()]
        grid = finest_grid([(m.shape[0], m.shape[1]) for m in cross])
        affinity = aggregate_self(
            [values[0].numpy() for values in maps.self_.values()], [maps.grids[name] for name in maps.self_], grid
        )
        yield unary_energy(object_probability(aggregate_cross(cross, grid), 0.12, 0.02)), affinity


def compare(
    kind: str, instances: Iterator[tuple[Floats, Floats]], peers: int, pymaxflow: bool
) -> tuple[int, list[Table]]:
    """Print the times on these instances; how many energies of ours are above another's minimum, and the times."""
    times: dict[str, list[float]] = {}
    problems, energies, wrong, done = [], [], 0, 0

    def note(name: str, milliseconds: float) -> None:
        times.setdefault(name, []).append(milliseconds)

    for unary, affinity in instances:
        side = math.isqrt(len(unary))
        building, weights = timed(lambda a=affinity, s=side: pairwise_weights(a, (s, s), smoothness=2.5, sigma=2.5))
        cutting, ours = timed(lambda u=unary, w=weights: dense_min_cut(u, w))
        note("ours: graph", building)
        note("ours: cut", cutting)
        note("ours: graph and cut", building + cutting)
        with mock.patch.object(dense_cut, "_source_side", return_value=dense_cut.dense_source_side):
            took, plain = timed(lambda u=unary, w=weights: dense_min_cut(u, w))
        note("ours: cut without Numba", took)
        wrong += not np.array_equal(plain.labels, ours.labels)
        took, flow = timed(lambda u=unary, w=weights: min_cut(u, sparse.csr_array(w)))
        note("maximum flow on the whole graph", took)
        wrong += ours.energy > flow.energy + ours.tolerance + flow.tolerance + 1e-9
        done += 1
        if done <= peers:
            took, _ = timed(lambda a=affinity: second_eigenvector((a + a.T) / 2))
            note("TokenCut's eigenvector", took)
            problems.append((unary, weights))
            energies.append((ours.energy, ours.tolerance))
    if pymaxflow and problems:
        for (unary, weights), (energy, tolerance), (took, labels) in zip(
            problems, energies, by_pymaxflow(problems), strict=True
        ):
            note("PyMaxflow", took)
            wrong += energy > sum(dense_energy(labels, unary, weights)) + tolerance + 1e-9
    first = statistics.median(times["ours: graph and cut"])
    print(f"{done} {kind} instances of {side}x{side}, milliseconds an image on one thread")
    for name, values in times.items():
        middle = statistics.median(values)
        spread = f"({min(values):.1f} to {max(values):.1f}, of {len(values)})"
        print(f"  {name:32} {middle:8.1f}  {spread}  {middle / first:6.2f} of ours")
    print(f"  energies above another's minimum: {wrong}", flush=True)
    limits = {"ours: graph and cut": 8.0}
    title = f"AttentionCut of {done} {kind} instances of {side}x{side}, one thread"
    return wrong, [Table(title, "ms", times, "ours: graph and cut", {}, limits, paired=False)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random", type=int, default=50)
    parser.add_argument("--real", type=int, default=10)
    parser.add_argument("--peers", type=int, default=10)
    parser.add_argument("--side", type=int, default=32, help="Of the random instances' grid.")
    parser.add_argument("--no-pymaxflow", action="store_true")
    parser.add_argument("--json", type=Path, help="also write all times there")
    args = parser.parse_args()
    if dense_cut._source_side() is dense_cut.dense_source_side:
        sys.exit("Numba is needed: pip install 'diffusionseg[fast]'")
    dense_min_cut(np.zeros((dense_cut.LARGE, 2)), np.zeros((dense_cut.LARGE, dense_cut.LARGE)))  # Compiles.
    wrong, tables = 0, []
    for kind, count, instances in (
        ("random", args.random, random_instances(args.random, args.side)),
        ("real", args.real, real_instances(args.real)),
    ):
        if count:
            more, some = compare(kind, instances, args.peers, not args.no_pymaxflow)
            wrong += more
            tables += some
    if args.json:
        write_tables(args.json, tables)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
