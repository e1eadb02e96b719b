"""`diffusionseg bench`: how fast this machine is, step by step."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from diffusionseg.cli import console, options

EXAMPLE = "Example: diffusionseg bench --weights mini --json"


def bench(
    config: options.Config = None,
    weights: Annotated[str, typer.Option(help="Decoder with its generator, or student, to time.")] = "mini",
    model: Annotated[str | None, typer.Option(help="A generator to time instead: folder or hub id.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Times that each step is run after one to warm up.")] = 5,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    json: options.Json = False,
) -> None:
    """Time synthesis and prediction step by step, beside the least that the machine's matrix rate allows."""
    with console.errors_named():
        import numpy as np

        from diffusionseg.bench import BenchConfig, run_bench
        from diffusionseg.data import read_image
        from diffusionseg.demo import photographs
        from diffusionseg.segmenters import is_student, load_segmenter

        backbone, segmenter = None, None
        if model is not None:
            from diffusionseg.backbone import Backbone

            backbone = Backbone.from_pretrained(model, device=device, dtype=options.dtype_name(dtype))
        else:
            segmenter = load_segmenter(weights, device=device, dtype=options.dtype_name(dtype))
            if not is_student(weights):
                from diffusionseg.exploitation import DiffusionSeg

                assert isinstance(segmenter, DiffusionSeg)
                backbone = segmenter.backbone
        photos = [np.asarray(read_image(path)) for path in photographs()]
        with console.progress() as bar:
            task = bar.add_task("bench", total=None)
            report = run_bench(
                model or weights,
                backbone,
                segmenter,
                photos,
                BenchConfig(rounds=rounds),
                lambda step: bar.update(task, description=step),
            )
    if json:
        console.result(_values(report))
    else:
        _print(report)


def _values(report: Any) -> dict[str, Any]:
    """The report as JSON holds it, seconds throughout."""
    steps = [
        {
            "name": step.name,
            "seconds": step.timing.median,
            "least": min(step.timing.seconds),
            "most": max(step.timing.seconds),
            "floor": step.floor,
        }
        for step in report.steps
    ]
    return {**vars(report), "steps": steps}


def _print(report: Any) -> None:
    where = f"{report.cores} cores, steps on one" if report.device == "cpu" else report.device
    typer.echo(
        f"{report.subject} in {report.dtype} on {where}; {report.matrix_rate / 1e9:.0f} GFLOP/s in matrix products"
    )
    typer.echo(f"\n{'step':28}  ms, median (least to most)      floor, ms   times floor")
    for step in report.steps:
        floor = ""
        if step.floor is not None:
            floor = f"{1000 * step.floor:9.1f}   {step.timing.median / step.floor:11.2f}"
        typer.echo(f"{step.name:28}  {step.timing.spread():30} {floor}".rstrip())
    typer.echo("")
    if report.images_a_minute is not None:
        typer.echo(f"synthesis   {report.images_a_minute:.1f} images with masks a minute, rejected ones counted")
    if report.photographs_a_second is not None:
        typer.echo(f"prediction  {report.photographs_a_second:.1f} photographs a second")
