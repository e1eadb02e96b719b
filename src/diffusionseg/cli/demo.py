"""`diffusionseg demo`: the whole method at a glance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import TaskID

from diffusionseg.cli import console, options

EXAMPLE = "Example: diffusionseg demo --out demo"


def demo(
    out: Annotated[Path, options.out_folder("Folder of the pictures and of report.html.")] = Path("demo"),
    config: options.Config = None,
    count: Annotated[int, typer.Option(min=8, help="Places of the synthetic set; some stay empty.")] = 32,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the short decoder training.")] = 60,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    json: options.Json = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Synthesise pairs, train a decoder briefly, segment real photographs; writes OUT/report.html. Needs no network."""
    with console.errors_named():
        from diffusionseg.demo import DemoConfig, run_demo

        with console.progress() as bar:
            tasks: dict[str, TaskID] = {}

            def report(stage: str, done: int, total: int) -> None:
                if stage not in tasks:
                    tasks[stage] = bar.add_task(stage, total=total)
                bar.update(tasks[stage], completed=done)

            page = run_demo(
                out,
                DemoConfig(count, steps, seed),
                device=device,
                dtype=options.dtype_name(dtype),
                overwrite=overwrite,
                report=report,
            )
    console.note(f"open {page}")
    if json:
        console.result({"report": str(page)})
