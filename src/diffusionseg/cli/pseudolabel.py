"""`diffusionseg pseudolabel`: photographs without annotation to further training pairs."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from diffusionseg.cli import console, options
from diffusionseg.cli.run_log import run_log

EXAMPLE = "Example: diffusionseg pseudolabel photos --weights decoder --out more-pairs"


def pseudolabel(
    sources: Annotated[
        list[Path], typer.Argument(help="Photographs, folders of them, or Parquet files with a column image.")
    ],
    out: options.SetOut,
    config: options.Config = None,
    weights: options.AnyWeights = "mini",
    model: options.OtherModel = None,
    count: Annotated[int | None, typer.Option(min=1, help="Look at a random choice of this many; default all.")] = None,
    seed: options.Seed = 0,
    prior: Annotated[
        float | None,
        typer.Option(help="Weight of the decoder's saliency against the colours in the cut, from 0; default: its own."),
    ] = None,
    max_border: Annotated[
        float, typer.Option(help="Largest share of the photograph's rim that an object may cover, 0 to 1.")
    ] = 0.1,
    min_agreement: Annotated[
        float, typer.Option(help="Smallest overlap (IoU) of the decoder's mask and the colour cut's, 0 to 1.")
    ] = 0.5,
    min_stability: Annotated[
        float, typer.Option(help="Smallest overlap (IoU) of the colour cut with those of varied constants, 0 to 1.")
    ] = 0.7,
    cut_side: Annotated[
        int | None,
        typer.Option(min=8, help="Longer side in pixels at which photographs are cut; default: the decoder's."),
    ] = None,
    max_side: Annotated[int, typer.Option(help="Longer side in pixels that larger photographs are stored at.")] = 256,
    batch_size: Annotated[int, typer.Option(min=1, help="Photographs in one U-Net call.")] = 8,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    log: options.Log = None,
    json: options.Json = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Label photographs with a decoder and keep the confident ones as pairs for another training (self-training)."""
    asked = dict(locals())
    with console.errors_named(), run_log(log) as journal:
        from diffusionseg.data import open_store

        store = open_store(out)
        from diffusionseg.pseudolabels import PseudolabelConfig
        from diffusionseg.pseudolabels import pseudolabel as label_photographs
        from diffusionseg.segmenters import load_segmenter
        from diffusionseg.synthesis import GateConfig

        segmenter = load_segmenter(weights, model=model, device=device, dtype=options.dtype_name(dtype))
        cut = segmenter.predict_config.cut
        cut = replace(cut, prior=cut.prior if prior is None else prior, side=cut_side or cut.side)
        settings = PseudolabelConfig(
            gate=replace(GateConfig(), max_border=max_border, min_agreement=min_agreement),
            cut=cut,
            min_stability=min_stability,
            max_side=max_side,
        )
        journal.start("pseudolabel", asked, settings=asdict(settings), model=segmenter.names())
        with console.progress() as bar:
            task = bar.add_task("photographs", total=None)
            done = skipped = 0

            def report(number: int, total: int) -> None:
                nonlocal done, skipped
                done += number
                # A shard that is there is told of at once.
                skipped += number if number > 1 else 0
                bar.update(task, advance=number, total=total)
                journal.progress(done, total, skipped=skipped)

            summary = label_photographs(
                segmenter,
                sources,
                store,
                count=count,
                seed=seed,
                config=settings,
                batch_size=batch_size,
                overwrite=overwrite,
                report=report,
                ended=lambda shard: journal.write("shard", shard=shard),
            )
        for line in summary.unreadable:
            journal.write("failure", reason=line)
        journal.summary = asdict(summary)
    for line in summary.unreadable:
        console.note(f"failed: {line}")
    rejected = ", ".join(f"{n} {reason}" for reason, n in summary.rejects.items()) or "none"
    console.note(f"{summary.samples} pairs of {summary.photographs} photographs in {out}; left out: {rejected}")
    if json:
        console.result({**asdict(summary), "out": out})
    if summary.samples == 0:
        raise console.fail("no photograph was kept; try another --weights, --max-border or --min-agreement")
    if summary.unreadable:
        raise typer.Exit(1)
