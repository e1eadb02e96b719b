"""`diffusionseg pretrain`: captioned photographs to a small generator."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import TaskID

from diffusionseg.cli import console, options
from diffusionseg.cli.captioned import learnable
from diffusionseg.cli.run_log import run_log

EXAMPLE = "Example (a trial; use 10000 steps or more): diffusionseg pretrain photos --steps 4 --out my-generator"


def pretrain(
    sources: Annotated[
        list[Path],
        typer.Argument(help="Folders of class sub-folders, or Parquet files with columns image and class."),
    ],
    out: Annotated[Path, options.out_folder("Folder of the run; the model is written to OUT/model.")],
    config: options.Config = None,
    classes_file: Annotated[
        Path | None,
        typer.Option(
            help="TOML file: a list classes (names to train on) and, if wanted, a table general (name = wider word)."
        ),
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(
            help="Model folder of an earlier run, or mini, whose weights this one continues.", metavar="MODEL"
        ),
    ] = None,
    captioned: Annotated[
        list[Path] | None,
        typer.Option(
            help="Photographs of any classes: an encoder learns their class names first, and the U-Net's features then "
            "learn to predict the encoder's, which makes decoders better. Folders or Parquet files as the sources; "
            "two classes need 20 photographs; repeatable.",
            metavar="PHOTOS",
        ),
    ] = None,
    encoder_steps: Annotated[
        int | None, typer.Option(help="Optimiser steps of the encoder with --captioned; default 10000.")
    ] = None,
    encoder_from: Annotated[
        Path | None,
        typer.Option(
            help="Folder of an earlier pretrain or distill --captioned, whose encoder is used beside --captioned in "
            "place of training one.",
            metavar="RUN",
        ),
    ] = None,
    alignment: Annotated[
        float | None,
        typer.Option(
            help="Weight, with --captioned, of predicting the encoder's features beside denoising; default 1."
        ),
    ] = None,
    judge: Annotated[
        Path | None,
        typer.Option(
            help="Folder with boxes.jsonl and its photographs, in images/ or beside it. Each checkpoint is measured by "
            "how well attention finds their objects and by the loss on them. They are never trained on.",
            metavar="DIR",
        ),
    ] = None,
    image_size: Annotated[int, typer.Option(help="Side of the training squares in pixels.")] = 64,
    larger_size: Annotated[
        list[int] | None,
        typer.Option(help="Also train on squares of this side, from photographs that have so many pixels; repeatable."),
    ] = None,
    zoom_out: Annotated[
        bool,
        typer.Option(
            "--zoom-out",
            help="Show photographs with calm edges whole, in two sizes amid their continued edges.",
        ),
    ] = False,
    larger_every: Annotated[int, typer.Option(help="Every how many steps one is of a larger size.")] = 3,
    balance: Annotated[
        float, typer.Option(help="0: draw each square as often as any other; 1: each class as often as any other.")
    ] = 0.0,
    steps: Annotated[int, typer.Option(help="Optimiser steps of the generator.")] = 10_000,
    autoencoder_steps: Annotated[int, typer.Option(help="Optimiser steps of the autoencoder.")] = 2500,
    batch_size: Annotated[int, typer.Option(help="Photographs in a step.")] = 48,
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 5e-4,
    timestep_shift: Annotated[
        float, typer.Option(help="How much training favours high noise, where the caption counts: 1 (not) to 20.")
    ] = 1.0,
    save_every: Annotated[int, typer.Option(help="Steps between checkpoints.")] = 500,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    compiled: Annotated[
        bool,
        typer.Option(
            "--compile/--no-compile",
            help="On a GPU, compile U-Net and alignment, which takes a minute or two and then trains faster.",
        ),
    ] = True,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Only go on with the run in OUT, which happens anyway; an error if there is none."
        ),
    ] = False,
    log: options.Log = None,
    json: options.Json = False,
) -> None:
    """Train a small generator in the Stable Diffusion layout, resuming an interrupted run. Nothing is trained on a mask
    or box; those of --judge only measure."""
    asked = dict(locals())
    with console.errors_named(), run_log(log) as journal:
        if resume and not (out / "pretrain.json").is_file():
            raise ValueError(
                f"--resume: {out} holds no run (no pretrain.json); check --out, or begin one without --resume"
            )
        if not captioned and (encoder_steps, encoder_from, alignment) != (None, None, None):
            raise ValueError(
                "--encoder-steps, --encoder-from and --alignment say how to learn from --captioned; give that too"
            )
        if encoder_steps is not None and encoder_from is not None:
            raise ValueError("--encoder-steps trains an encoder, and --encoder-from brings one; give one of them")
        from diffusionseg import mini
        from diffusionseg.backbone import resolve_device
        from diffusionseg.pretraining import (
            GeneratorConfig,
            PretrainConfig,
            class_names,
            pretrain,
            read_class_file,
            read_judged_photos,
            read_photos,
            read_photos_of_sizes,
        )
        from diffusionseg.recognition import EncoderConfig, find_encoder

        where = resolve_device(device)
        if encoder_from is not None:
            # Before photographs are read.
            find_encoder(encoder_from, out)
        settings = PretrainConfig(
            image_size=image_size,
            larger_sizes=tuple(larger_size or ()),
            larger_every=larger_every,
            balance=balance,
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            timestep_shift=timestep_shift,
            alignment=1.0 if alignment is None else alignment,
            encoder=EncoderConfig() if encoder_steps is None else EncoderConfig(steps=encoder_steps),
            autoencoder_steps=autoencoder_steps,
            save_every=save_every,
            seed=seed,
            generator=GeneratorConfig(sample_size=image_size // 4),
        )
        journal.start("pretrain", asked, settings=asdict(settings))
        chosen, general = read_class_file(classes_file) if classes_file else (None, {})
        photos, *larger = read_photos_of_sizes(sources, image_size, settings.larger_sizes, chosen, zoom_out=zoom_out)
        named = read_photos(captioned, image_size) if captioned else None
        # A file may be in both.
        unreadable = list(dict.fromkeys([*photos.unreadable, *(named.unreadable if named else ())]))
        for line in unreadable:
            console.note(f"left out: {line}")
            journal.write("failure", reason=line)
        console.note(f"{len(photos)} training squares of {len(photos.names)} classes")
        for size, some in zip(settings.larger_sizes, larger, strict=True):
            console.note(f"{len(some)} of them also as {size}x{size} pixels")
        if named is not None:
            named = learnable(named, settings.encoder)
            console.note(f"{len(named)} captioned photographs of {len(named.names)} classes")
        judged = None if judge is None else read_judged_photos(judge, photos, captioned=named)
        if judged is not None:
            for name in judged.trained_on:
                console.note(f"not judged by {name}: it is trained on")
            console.note(f"judged by {len(judged)} photographs of {len(set(judged.names))} classes")
        numbers: dict[str, float] = {}
        with console.progress() as bar:
            tasks: dict[str, TaskID] = {}

            def report(stage: str, done: int, total: int, values: dict[str, float]) -> None:
                if stage == "judge":
                    numbers.update(values)
                    journal.write("judge", step=done, **values)
                    console.note(f"step {done}: " + "  ".join(f"{k} {v:.3f}" for k, v in values.items()))
                    return
                if stage not in tasks:
                    tasks[stage] = bar.add_task(stage, total=total)
                shown = "  ".join(f"{k} {v:.4g}" for k, v in values.items())
                bar.update(tasks[stage], completed=done, description=f"{stage}  {shown}")
                journal.progress(done, total, values, stage=stage)

            folder = pretrain(
                photos,
                class_names(sources),
                general,
                out,
                settings,
                device=where,
                compiled=compiled,
                larger=larger,
                start_from=mini.model_path() if start_from == Path(mini.NAME) else start_from,
                captioned=named,
                encoder_from=encoder_from,
                judged=judged,
                report=report,
            )
        journal.summary = {"model": str(folder), "squares": len(photos), **numbers}
    console.note(f"generator written to {folder}")
    if json:
        told = {} if named is None else {"captioned": len(named), "classes": len(named.names)}
        result = {"model": str(folder), "squares": len(photos), **told}
        console.result({**result, "unreadable": unreadable, "judge": numbers})
    if unreadable:
        raise typer.Exit(1)
