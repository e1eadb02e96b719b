"""`diffusionseg train`: image–mask pairs to a decoder."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from diffusionseg.cli import console, options
from diffusionseg.cli.run_log import run_log
from diffusionseg.cli.training_bar import training_bar

EXAMPLE = "Example: diffusionseg train pairs --out decoder --steps 200"


def train(
    pairs: Annotated[list[str], typer.Argument(help="Folders written by synth, or fsspec URLs of such sets.")],
    out: Annotated[Path, options.out_folder("Folder of the run: decoder, metrics.jsonl, curves.png, previews.")],
    config: options.Config = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder for copies of sets at URLs, which later runs use; default OUT/cache.")
    ] = None,
    model: options.Model = "mini",
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 1000,
    batch_size: Annotated[int, typer.Option(help="Views in a step.")] = 16,
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 2e-3,
    views: Annotated[int, typer.Option(help="Augmented views of each pair to draw from.")] = 8,
    memory: Annotated[
        float, typer.Option(help="GiB of features kept in memory; those beyond it are computed anew each time.")
    ] = 4.0,
    mode: Annotated[
        Literal["noise", "inversion"],
        typer.Option(help="noise is one U-Net call a timestep, inversion has DDIM's before it."),
    ] = "noise",
    timesteps: Annotated[
        str, typer.Option(help="Timesteps that features are read at, separated by commas.")
    ] = "50,200",
    layers: Annotated[
        str | None,
        typer.Option(
            help="Modules of the U-Net that are read, separated by commas (up_blocks.0,up_blocks.1); default all up "
            "blocks. A call ends at the last of them."
        ),
    ] = None,
    inversion_steps: Annotated[
        int | None, typer.Option(help="Steps of the inversion up to the last timestep; default 10.")
    ] = None,
    width: Annotated[int, typer.Option(help="Channels inside the decoder, a multiple of 16; fewer is quicker.")] = 96,
    save_every: Annotated[int, typer.Option(help="Steps between checkpoints.")] = 200,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    autocast: options.Autocast = "auto",
    log: options.Log = None,
    json: options.Json = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Train a light decoder on the generator's features of synthetic pairs. An interrupted run goes on where it was.

    `accelerate launch -m diffusionseg train …` shares each step out to several devices."""
    asked = dict(locals())
    with console.errors_named():
        from diffusionseg.training import is_leader, own_device

        leads = is_leader()
    with console.errors_named(), run_log(log if leads else None) as journal:
        from diffusionseg.backbone import Backbone
        from diffusionseg.data import StoredPairs
        from diffusionseg.exploitation import DecoderConfig, FeatureConfig, TrainConfig
        from diffusionseg.exploitation import train as train_decoder

        if inversion_steps is not None and mode != "inversion":
            raise ValueError("--inversion-steps is for --mode inversion; give that too")
        features = FeatureConfig(
            mode=mode, timesteps=_numbers(timesteps), layers=tuple(layers.split(",")) if layers else None
        )
        if inversion_steps is not None:
            features = replace(features, steps=inversion_steps)
        shape = DecoderConfig(width=width)
        settings = TrainConfig(
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            views=views,
            memory=memory,
            save_every=save_every,
            seed=seed,
            dtype=autocast,
        )
        samples = StoredPairs(pairs, cache or out / "cache")
        backbone = Backbone.from_pretrained(model, device=own_device(device), dtype=options.dtype_name(dtype))
        if leads:
            console.note(f"{len(samples)} pairs")
        both = {"features": asdict(features), "decoder": asdict(shape), "training": asdict(settings)}
        journal.start("train", asked, settings=both, model=backbone.fingerprint, pairs=len(samples))
        last: dict[str, float] = {}
        with training_bar(journal, out, steps, last, shown=leads) as report:
            train_decoder(
                backbone,
                samples,
                out,
                feature_config=features,
                decoder_config=shape,
                train_config=settings,
                overwrite=overwrite,
                report=report,
            )
        journal.summary = {"out": str(out), "steps": steps, **last}
    if not leads:
        return
    console.note(f"decoder written to {out}")
    if json:
        console.result({"out": str(out), "pairs": len(samples), "steps": steps, **last})


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(sorted({int(t) for t in text.split(",")}))
    except ValueError:
        raise ValueError(f"--timesteps {text!r}: whole numbers separated by commas are needed") from None
