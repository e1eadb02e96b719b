"""The progress of a training: a bar with its losses, and lines of the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from diffusionseg.cli import console
from diffusionseg.cli.run_log import RunLog

SHOWN = ("loss", "held_out_iou")
"""Values that the bar tells."""


@contextmanager
def training_bar(
    journal: RunLog, out: Path, steps: int, last: dict[str, float], *, shown: bool = True
) -> Iterator[Callable[[int, int, dict[str, float]], None]]:
    """What a training into `out` calls after each step; `last` keeps the latest of every value.

    Where the run was finished before, they are those that it left in `out`.
    """
    with console.progress(shown=shown) as bar:
        task = bar.add_task("training", total=steps)

        def report(done: int, total: int, values: dict[str, float]) -> None:
            last.update(values)
            told = "  ".join(f"{name} {value:.3f}" for name, value in last.items() if name in SHOWN)
            bar.update(task, completed=done, description=f"training  {told}")
            journal.progress(done, total, last)

        yield report
    # Other processes of a team are told no values, and may see no file either.
    if shown and not last:
        from diffusionseg.data import read_json_lines

        for _, record in read_json_lines(out / "metrics.jsonl"):
            last.update((name, value) for name, value in record.items() if name != "step")
