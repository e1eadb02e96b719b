"""`diffusionseg datasets`: what a folder of data is, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from diffusionseg.cli import console, options

EXAMPLE = "Example: diffusionseg datasets check ecssd/masks --json"

datasets = typer.Typer(no_args_is_help=True, help="Check data sets in the layouts they are published in.")


@datasets.callback()
def group() -> None:
    """Check data sets in the layouts they are published in. Nothing is ever downloaded."""


@datasets.command("check", epilog=EXAMPLE)
def check(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Root of a data set, or a folder of masks.")],
    config: options.Config = None,
    split: Annotated[
        str | None,
        typer.Option(help="Part of VOC (default trainval), CUB or pets; for COCO a file with ids or names of images."),
    ] = None,
    undecided: Annotated[
        str | None,
        typer.Option(
            help="What grey, void and border of masks will count as: protocol (grey only), object, half, background."
        ),
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Decode the photographs too, not only their headers.")] = False,
    json: options.Json = False,
) -> None:
    """Say what a folder was recognised as, how many pairs and boxes it has, and name every file that does not fit.

    Exit status 0 if all can be used, 1 if some cannot, 2 if nothing was recognised.
    """
    with console.errors_named():
        from diffusionseg.data import open_dataset
        from diffusionseg.data.check import check as look
        from diffusionseg.data.mask_codings import CHOICES

        if undecided is not None and undecided not in CHOICES:
            raise ValueError(f"--undecided {undecided}: choose from {', '.join(CHOICES)}")
        dataset = open_dataset(directory, split)
        with console.progress() as bar:
            task = bar.add_task("files", total=None)
            found = look(
                dataset,
                undecided=undecided,
                deep=deep,
                report=lambda done, total: bar.update(task, completed=done, total=total),
            )
    sizes = sorted(found.sizes, key=lambda size: (size[0] * size[1], size))
    report: dict[str, Any] = {
        "name": dataset.name,
        "root": str(dataset.root),
        "layout": dataset.layout,
        "split": dataset.split,
        "pairs": found.pairs,
        "codings": dict(found.codings.most_common()),
        "images_with_boxes": found.boxes,
        "objects": found.objects,
        "difficult": found.difficult,
        "smallest": list(sizes[0]) if sizes else None,
        "largest": list(sizes[-1]) if sizes else None,
        "notes": found.notes(dataset),
        "faults": [{"file": fault.file, "reason": fault.reason} for fault in found.faults],
    }
    if json:
        console.result(report)
    else:
        typer.echo("\n".join(_lines(report)))
    if found.faults:
        raise typer.Exit(1)


def _lines(report: dict[str, Any]) -> list[str]:
    part = "" if report["split"] == "all" else f", {report['split']}"
    rows = [("recognised", f"{report['name']}{part} ({report['layout']}) in {report['root']}")]
    if report["codings"] or report["pairs"]:
        rows.append(("pairs", str(report["pairs"])))
        rows += [("masks", f"{number} × {coding}") for coding, number in report["codings"].items()]
    if report["images_with_boxes"]:
        objects = f"{report['objects']} objects, {report['difficult']} of them difficult"
        rows.append(("boxes", f"{report['images_with_boxes']} images, {objects}"))
    if report["smallest"]:
        rows.append(("sizes", " to ".join("x".join(map(str, report[key])) for key in ("smallest", "largest"))))
    rows += [("note", note) for note in report["notes"]]
    rows.append(("faults", str(len(report["faults"]) or "none")))
    return [f"{name:<11} {value}" for name, value in rows] + [f"  {f['file']}: {f['reason']}" for f in report["faults"]]
