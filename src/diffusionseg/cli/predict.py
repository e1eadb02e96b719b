"""`diffusionseg predict`: photographs to masks, saliency, cut-outs and boxes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from diffusionseg.cli import console, options

EXAMPLE = "Example: diffusionseg predict photos --type mask --type rgba --out predictions"


def predict(
    inputs: Annotated[list[Path], typer.Argument(help="Photographs, or folders that are searched through.")],
    out: Annotated[Path, typer.Option(help="Folder of the pictures and of predictions.jsonl.")],
    config: options.Config = None,
    weights: options.Weights = "mini",
    model: options.OtherModel = None,
    type: Annotated[
        list[str] | None,
        typer.Option("--type", help="saliency, mask (default: these two), rgba, overlay; repeatable."),
    ] = None,
    include: Annotated[
        list[str] | None, typer.Option(help="Only files whose name matches, such as '*.jpg'; repeatable.")
    ] = None,
    refine: Annotated[str | None, typer.Option(help="none, guided, bilateral or cut.")] = None,
    prior: Annotated[
        float | None, typer.Option(help="Weight of the decoder's saliency against the colours in the cut, from 0.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Saliency above which a pixel is object, 0 to 1.")] = None,
    multiple: Annotated[
        bool | None, typer.Option("--multiple/--single", help="Boxes of all parts, or of the largest alone.")
    ] = None,
    flip: Annotated[bool | None, typer.Option("--flip/--no-flip", help="Average with the mirror image.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Photographs in one U-Net call.")] = 8,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    json: options.Json = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Find the main object of every photograph. What an earlier run did is skipped; what failed is tried again."""
    with console.errors_named():
        import dataclasses

        from diffusionseg.backbone import Backbone
        from diffusionseg.exploitation import DiffusionSeg, predict_folder

        number_format = options.dtype_name(dtype)
        backbone = Backbone.from_pretrained(model, device=device, dtype=number_format) if model else None
        segmenter = DiffusionSeg.from_pretrained(weights, device=device, dtype=number_format, backbone=backbone)
        given: dict[str, Any] = {"refine": refine, "threshold": threshold, "multiple": multiple, "flip": flip}
        settings = segmenter.predict_config
        if prior is not None:
            given["cut"] = dataclasses.replace(settings.cut, prior=prior)
        settings = dataclasses.replace(settings, **{k: v for k, v in given.items() if v is not None})
        with console.progress() as bar:
            task = bar.add_task("photographs", total=None)
            summary = predict_folder(
                segmenter,
                inputs,
                out,
                kinds=tuple(dict.fromkeys(type or ["saliency", "mask"])),
                config=settings,
                include=include or (),
                batch_size=batch_size,
                overwrite=overwrite,
                report=lambda done, total: bar.update(task, advance=done, total=total),
            )
    for name, reason in summary.errors:
        console.note(f"failed: {name}: {reason}")
    console.note(
        f"{summary.predicted} predicted, {summary.skipped} already done, {len(summary.errors)} failed; results in {out}"
    )
    if json:
        errors = [{"image": name, "error": reason} for name, reason in summary.errors]
        console.result({**asdict(summary), "errors": errors, "out": str(out)})
    if summary.errors:
        raise typer.Exit(2 if summary.predicted + summary.skipped == 0 else 1)
