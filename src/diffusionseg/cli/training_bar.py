"""The progress of a training: a bar with its losses, and lines of the log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from diffusionseg.cli import console
from diffusionseg.cli.run_log import RunLog

SHOWN = ("loss", "held_out_iou", "accuracy")
"""Values that the bar tells."""
TRAINING = "training"
"""The stage that trains what a run is for."""


class Report(Protocol):
    """What a training calls after each step."""

    def __call__(self, done: int, total: int, values: dict[str, float], *, stage: str = TRAINING) -> None:
        """`done` of `total` steps of a stage are done."""


@contextmanager
def training_bar(
    journal: RunLog, out: Path, steps: int, last: dict[str, float], *, shown: bool = True
) -> Iterator[Report]:
    """What a training into `out` calls after each step; `last` keeps the latest of every value of its main stage.

    Where the run was finished before, they are those that it left in `out`.
    """
    with console.progress(shown=shown) as bar:
        # Its clock waits for its first step, before which there may be another stage.
        tasks = {TRAINING: bar.add_task(TRAINING, total=steps, start=False)}
        latest = {TRAINING: last}

        def report(done: int, total: int, values: dict[str, float], *, stage: str = TRAINING) -> None:
            if stage not in tasks:
                tasks[stage], latest[stage] = bar.add_task(stage, total=total), {}
            bar.start_task(tasks[stage])
            known = latest[stage]
            known.update(values)
            told = "  ".join(f"{name} {value:.3f}" for name, value in known.items() if name in SHOWN)
            bar.update(tasks[stage], completed=done, description=f"{stage}  {told}")
            journal.progress(done, total, known, stage="" if stage == TRAINING else stage)

        yield report
    # Other processes of a team are told no values, and may see no file either.
    if shown and not last:
        from diffusionseg.data import read_json_lines

        for _, record in read_json_lines(out / "metrics.jsonl"):
            last.update((name, value) for name, value in record.items() if name != "step")
