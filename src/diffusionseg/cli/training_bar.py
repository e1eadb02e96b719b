"""The progress of a training: a bar with its losses, and lines of the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from diffusionseg.cli import console
from diffusionseg.cli.run_log import RunLog

SHOWN = ("loss", "held_out_iou")
"""Values that the bar tells."""


@contextmanager
def training_bar(
    journal: RunLog, steps: int, last: dict[str, float], *, shown: bool = True
) -> Iterator[Callable[[int, int, dict[str, float]], None]]:
    """What a training calls after each step; `last` keeps the latest of every value."""
    with console.progress(shown=shown) as bar:
        task = bar.add_task("training", total=steps)

        def report(done: int, total: int, values: dict[str, float]) -> None:
            last.update(values)
            told = "  ".join(f"{name} {value:.3f}" for name, value in last.items() if name in SHOWN)
            bar.update(task, completed=done, description=f"training  {told}")
            journal.progress(done, total, last)

        yield report
