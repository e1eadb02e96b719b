"""`diffusionseg eval`: predictions against masks or boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from diffusionseg.cli import console, options

EXAMPLE = "Example: diffusionseg eval --pred predictions --masks ecssd/masks --json"


def evaluate(
    pred: Annotated[Path, typer.Option(help="Folder written by predict.")],
    config: options.Config = None,
    masks: Annotated[
        Path | None, typer.Option(help="Folder of ground-truth masks, or the root of ECSSD, DUTS or DUT-OMRON.")
    ] = None,
    boxes: Annotated[Path | None, typer.Option(help="boxes.jsonl with the objects of each image.")] = None,
    protocol: Annotated[
        str | None, typer.Option(help="Definition of the saliency measures of --masks: tokencut, the default.")
    ] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Count missing predictions as empty instead of stopping.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Print images, acc, iou and max_f (with --masks) or corloc (with --boxes), under the named protocol."""
    with console.errors_named():
        from diffusionseg.evaluation import evaluate_boxes, evaluate_saliency

        if (masks is None) == (boxes is None):
            raise ValueError("give one of --masks and --boxes")
        if boxes is not None and protocol is not None:
            raise ValueError("--protocol defines the measures of --masks; with --boxes leave it out")
        values: dict[str, Any]
        if masks is not None:
            with console.progress() as bar:
                task = bar.add_task("evaluation", total=None)
                values = evaluate_saliency(
                    pred,
                    masks,
                    protocol=protocol or "tokencut",
                    allow_missing=allow_missing,
                    report=lambda done, total: bar.update(task, completed=done, total=total),
                )
        elif boxes is not None:
            values = evaluate_boxes(pred, boxes, allow_missing=allow_missing)
    if json:
        console.result(values)
    else:
        typer.echo("  ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in values.items()))
