"""`diffusionseg compare`: several methods over one data set, in one table."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diffusionseg.cli import console, options

if TYPE_CHECKING:
    from diffusionseg.comparison import Comparison

EXAMPLE = "Example: diffusionseg compare ecssd --methods centre,decoder --limit 2 --out comparison --json"
EVERY = "centre,grabcut,colour-cut,daam,propagation,merging,ncut-features,ncut-affinity,attentioncut,decoder"


def compare(
    dataset: Annotated[Path, typer.Argument(help="Data set with photographs and masks, in a known layout.")],
    out: Annotated[Path, options.out_folder("Folder of the predictions and of table.md, table.tex, table.json.")],
    config: options.Config = None,
    methods: Annotated[str, typer.Option(help="Methods, separated by commas.")] = EVERY,
    refine: Annotated[
        str, typer.Option(help="Refinements of each: none, guided, bilateral, bilateral-part, cut; by commas.")
    ] = "none,guided,bilateral",
    weights: options.Weights = "mini",
    model: options.OtherModel = None,
    class_name: Annotated[
        str, typer.Option(help="Word that daam, propagation and attentioncut look for in every photograph.")
    ] = "object",
    protocol: Annotated[str, typer.Option(help="Definition of the measures, as of eval.")] = "tokencut",
    undecided: Annotated[
        str | None, typer.Option(help="Grey, void and border pixels of the masks, refused without it; as of eval.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first photographs by name.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes, one core each; default: all cores, 1 with an accelerator.")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the table to this file.")] = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    json: options.Json = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Measure baselines, AttentionCut and a decoder on the same photographs, each with every refinement.

    What an earlier run predicted is kept. A photograph in which something fails is named and left out of every row.
    """
    with console.errors_named():
        from diffusionseg.backbone import resolve_device
        from diffusionseg.backbone.threads import available_cores
        from diffusionseg.baselines import ReadingConfig, choose_methods, choose_refinements
        from diffusionseg.comparison import CompareConfig, ModelSource
        from diffusionseg.comparison import compare as run
        from diffusionseg.comparison import markdown as as_markdown
        from diffusionseg.data import atomic_write

        settings = CompareConfig(
            methods=tuple(method.name for method in choose_methods(methods)),
            refinements=tuple(choose_refinements(refine)),
            protocol=protocol,
            undecided=undecided,
            limit=limit,
            reading=ReadingConfig(class_name=class_name),
        )
        source = ModelSource(weights, model, device, options.dtype_name(dtype))
        on_cpu = resolve_device(device).type == "cpu"
        with console.progress() as bar:
            tasks = {stage: bar.add_task(stage, total=None) for stage in ("photographs", "rows")}
            found = run(
                dataset,
                out,
                source,
                settings,
                jobs=jobs or (available_cores() if on_cpu else 1),
                overwrite=overwrite,
                report=lambda stage, done, total: bar.update(tasks[stage], completed=done, total=total),
            )
        if markdown is not None and found.rows:
            atomic_write(markdown, as_markdown(found).encode())
    for name, reason in found.errors:
        console.note(f"failed: {name}: {reason}")
    if not found.rows:
        raise console.fail("no photograph could be used")
    _show(found)
    console.note(f"tables and predictions in {out}")
    if json:
        errors = [{"image": name, "error": reason} for name, reason in found.errors]
        console.result({**asdict(found), "errors": errors, "out": str(out)})
    if found.errors:
        raise typer.Exit(1)


def _show(found: Comparison) -> None:
    from rich import box
    from rich.table import Table

    from diffusionseg.comparison.table import COLUMNS

    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    for number, column in enumerate(COLUMNS):
        table.add_column(column, justify="left" if number < 2 else "right", no_wrap=True)
    for row in found.rows:
        # Names instead of titles, so that the table fits a terminal.
        table.add_row(row.method, *row.cells()[1:])
    console.stderr.print(table)
    console.note(found.caption())
