"""Run methods over a data set in several processes, resuming where an earlier run ended, and measure them."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from diffusionseg.baselines import METHODS
from diffusionseg.comparison.config import CompareConfig, ModelSource
from diffusionseg.comparison.folder import SECONDS, claim, made_with, missing, read_seconds, write_seconds
from diffusionseg.comparison.table import Comparison, Row, latex, markdown
from diffusionseg.comparison.worker import Found, Photograph, find, measure, start
from diffusionseg.data import BenchmarkPair, append_json_line, atomic_write, find_pairs, json_bytes
from diffusionseg.evaluation.pairs import MaskPair
from diffusionseg.evaluation.protocols import saliency_protocol
from diffusionseg.synthesis.prompts import make_prompt

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Environment of libraries that would use every core in each process."""
Report = Callable[[str, int, int], None]


def compare(
    root: Path,
    out: Path,
    source: ModelSource,
    config: CompareConfig,
    *,
    jobs: int = 1,
    overwrite: bool = False,
    report: Report = lambda *_: None,
) -> Comparison:
    """Find the main object of every photograph of a data set by every method, and measure all of them alike.

    `root` has photographs and masks in a known layout. Predictions are kept as `out`/METHOD-REFINEMENT/STEM.png and not
    made again, unless `overwrite`; the table goes to `out`/table.json, .md and .tex. A photograph in which any method
    fails is in no row. `report` is called with the stage, photographs or rows done, and how many there are. Raises
    ValueError where nothing can be done or `out` holds predictions made otherwise.
    """
    saliency_protocol(config.protocol)
    if jobs < 1:
        raise ValueError(f"--jobs {jobs}: must be 1 or more")
    pairs = find_pairs(root)[: config.limit]
    if not pairs:
        raise ValueError(f"{root}: no photograph with a mask")
    model = source.load()
    # Here rather than once for every photograph.
    model.backbone.class_span(
        make_prompt(config.reading.template, config.reading.class_name), config.reading.class_name
    )
    claim(out, made_with(root, model, config), overwrite)
    word = f"word “{config.reading.class_name}”"
    said = f"{root.name}, {word}, decoder {source.weights} {model.fingerprint[:8]}, generator {model.backbone.name}"
    del model
    with _pool(min(jobs, len(pairs)), source, config, out) as pool:
        errors = _find_all(pool, pairs, out, config, report)
        good = [pair for pair in pairs if pair.stem not in errors]
        rows = _measure_all(pool, good, out, config, report) if good else ()
    comparison = Comparison(rows, len(good), tuple(errors.items()), config.protocol, said)
    if rows:
        atomic_write(out / "table.json", json_bytes(asdict(comparison)))
        atomic_write(out / "table.md", markdown(comparison).encode())
        atomic_write(out / "table.tex", latex(comparison).encode())
    return comparison


@contextmanager
def _pool(jobs: int, source: ModelSource, config: CompareConfig, out: Path) -> Iterator[ProcessPoolExecutor]:
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    # New processes read the environment as they start; forked ones would inherit torch's threads and locks.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, initializer=start, initargs=(source, config, out))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _find_all(
    pool: ProcessPoolExecutor, pairs: list[BenchmarkPair], out: Path, config: CompareConfig, report: Report
) -> dict[str, str]:
    """Make what is missing; reason by photograph of those that failed, and of those whose mask cannot be read."""
    timed = read_seconds(out)
    tasks = [Photograph(p.stem, p.image, p.mask, missing(p.stem, out, config, timed)) for p in pairs]
    # Also where nothing is missing: a mask that cannot be read leaves its photograph out, whoever made the predictions.
    futures = [pool.submit(find, task) for task in tasks]
    report("photographs", 0, len(tasks))
    errors = {}
    # A killed run may have left half a line, to which the next one must not be joined.
    write_seconds(out, timed)
    for done, future in enumerate(as_completed(futures), 1):
        found: Found = future.result()
        if found.error is not None:
            errors[found.stem] = found.error
        elif found.seconds:
            append_json_line(out / SECONDS, {"image": found.stem, "seconds": found.seconds})
        report("photographs", done, len(tasks))
    return dict(sorted(errors.items()))


def _measure_all(
    pool: ProcessPoolExecutor, pairs: list[BenchmarkPair], out: Path, config: CompareConfig, report: Report
) -> tuple[Row, ...]:
    futures = {}
    for method, refinement in config.folders:
        folder = out / f"{method}-{refinement}"
        files = [MaskPair(pair.stem, pair.mask, folder / f"{pair.stem}.png") for pair in pairs]
        futures[pool.submit(measure, files)] = (method, refinement)
    report("rows", 0, len(futures))
    measured = {}
    for number, future in enumerate(as_completed(futures), 1):
        measured[futures[future]] = future.result()
        report("rows", number, len(futures))
    timed = read_seconds(out)
    taken = [timed[pair.stem] for pair in pairs]
    return tuple(_row(method, refinement, measured[method, refinement], taken) for method, refinement in config.folders)


def _row(method: str, refinement: str, values: dict[str, Any], taken: list[dict[str, float]]) -> Row:
    def mean(*names: str) -> float:
        return sum(seconds[name] for seconds in taken for name in names) / len(taken)

    reads = METHODS[method].reads
    return Row(
        method=method,
        title=METHODS[method].title,
        refinement=refinement,
        acc=values["acc"],
        iou=values["iou"],
        max_f=values["max_f"],
        intervals={name: tuple(values["intervals"][name]) for name in ("acc", "iou", "max_f")},
        seconds=mean(*reads, method, f"{method}-{refinement}"),
        reading_seconds=mean(*reads),
    )
