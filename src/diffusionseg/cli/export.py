"""`diffusionseg export`: predictions, sets and data sets in the formats of other tools."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from diffusionseg.cli import console, options

EXAMPLE = "Example: diffusionseg export predictions --format coco --polygons --out coco --json"


def export(
    source: Annotated[
        Path, typer.Argument(help="Folder written by predict, synth or pseudolabel, or a data set with masks.")
    ],
    format: Annotated[
        str, typer.Option(help="coco, coco-results, voc, yolo, cvat, label-studio, or images (photographs and masks).")
    ],
    out: Annotated[Path, options.out_folder("Folder of the export; appears when all is written.")],
    config: options.Config = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of the photographs of predictions, where they were moved.")
    ] = None,
    photographs: Annotated[
        str | None,
        typer.Option(
            help="copy, link or none: what becomes of the photographs; default: copy for voc, yolo and images."
        ),
    ] = None,
    class_name: Annotated[
        str, typer.Option("--class", help="Class of what has none: predictions, pseudo-labels, data sets.")
    ] = "object",
    parts: Annotated[
        bool, typer.Option("--parts", help="Every connected part of a mask is an object; default: the whole mask.")
    ] = False,
    polygons: Annotated[bool, typer.Option("--polygons", help="coco: polygons instead of run-length codes.")] = False,
    val: Annotated[float, typer.Option(help="voc, yolo: share of the images for validation, 0 to 1.")] = 0.0,
    instances: Annotated[
        Path | None, typer.Option(help="coco-results: instances.json whose ids of images and categories are taken.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="label-studio: what stands before the photographs' names; default: its local storage."),
    ] = None,
    json: options.Json = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export.")] = False,
) -> None:
    """Write masks and boxes as other tools read them. What cannot be read is named, the rest is exported."""
    with console.errors_named():
        from diffusionseg.exports import ExportConfig
        from diffusionseg.exports import export as write

        wanted = ExportConfig(format, class_name, images, photographs, parts, polygons, val, url, instances)
        with console.progress() as bar:
            task = bar.add_task("images", total=None)
            summary = write(
                source,
                out,
                wanted,
                overwrite=overwrite,
                report=lambda done, total: bar.update(task, completed=done, total=total),
            )
    for name, reason in summary.errors:
        console.note(f"failed: {name}: {reason}")
    console.note(f"{summary.images} images with {summary.objects} objects, {len(summary.errors)} failed; in {out}")
    if json:
        errors = [{"file": name, "reason": reason} for name, reason in summary.errors]
        console.result({**asdict(summary), "errors": errors, "out": str(out)})
    if summary.errors or not summary.images:
        raise typer.Exit(1 if summary.images else 2)
