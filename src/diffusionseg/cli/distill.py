"""`diffusionseg distill`: image–mask pairs to a small network that needs no generator."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from diffusionseg.cli import console, options
from diffusionseg.cli.captioned import learnable
from diffusionseg.cli.run_log import run_log
from diffusionseg.cli.training_bar import training_bar

EXAMPLE = "Example: diffusionseg distill pairs --out my-student"


def distill(
    pairs: Annotated[
        list[str], typer.Argument(help="Folders written by synth and pseudolabel, or fsspec URLs of such sets.")
    ],
    out: Annotated[Path, options.out_folder("Folder of the run: student.onnx, student-int8.onnx, metrics.jsonl, …")],
    config: options.Config = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder for copies of sets at URLs, which later runs use; default OUT/cache.")
    ] = None,
    teacher: Annotated[
        str, typer.Option(help="Decoder whose way of refining (threshold, cut and its constants) the student takes.")
    ] = "mini",
    captioned: Annotated[
        list[Path] | None,
        typer.Option(
            help="Photographs whose class names the encoder learns to tell apart before it sees a mask: a folder of "
            "class sub-folders, or a Parquet file with columns image and class; repeatable.",
            metavar="PHOTOS",
        ),
    ] = None,
    encoder_steps: Annotated[
        int | None, typer.Option(help="Optimiser steps of the encoder with --captioned; default 10000.")
    ] = None,
    encoder_from: Annotated[
        Path | None,
        typer.Option(
            help="Folder of an earlier distill or pretrain --captioned, whose encoder this student begins with.",
            metavar="RUN",
        ),
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(help="Folder of an earlier distill, whose weights this one begins with.", metavar="RUN"),
    ] = None,
    side: Annotated[int, typer.Option(help="Side in pixels of the square that photographs are resized to.")] = 128,
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 3000,
    batch_size: Annotated[int, typer.Option(help="Views in a step.")] = 32,
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 2e-3,
    save_every: Annotated[int, typer.Option(help="Steps between checkpoints.")] = 200,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    autocast: options.Autocast = "auto",
    log: options.Log = None,
    json: options.Json = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Train a small network on pairs, to predict in real time without generator or torch (`predict --weights OUT`)."""
    asked = dict(locals())
    with console.errors_named(), run_log(log) as journal:
        from diffusionseg.backbone.device import resolve_device
        from diffusionseg.data import StoredPairs
        from diffusionseg.distillation import DistillConfig, averaging_views, refuse_two_beginnings
        from diffusionseg.distillation import distill as make_student
        from diffusionseg.prediction.weights_folder import predict_settings
        from diffusionseg.recognition import EncoderConfig

        refuse_two_beginnings(bool(captioned), encoder_from, start_from)
        if encoder_steps is not None and not captioned:
            without = "; --encoder-from brings one that is trained" if encoder_from else "; give that too"
            raise ValueError(f"--encoder-steps says how long to learn from --captioned{without}")
        encoder = EncoderConfig() if encoder_steps is None else EncoderConfig(steps=encoder_steps)
        given = DistillConfig(side=side, encoder=encoder)
        training = replace(
            given.training,
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            save_every=save_every,
            seed=seed,
            dtype=autocast,
        )
        settings = replace(given, training=training)
        samples = StoredPairs(pairs, cache or out / "cache")
        console.note(f"{len(samples)} pairs")
        journal.start("distill", asked, settings=asdict(settings), pairs=len(samples))
        photos = None
        if captioned:
            from diffusionseg.pretraining import read_photos

            photos = read_photos(captioned, side // 2)
            for line in photos.unreadable:
                console.note(f"left out: {line}")
                journal.write("failure", reason=line)
            photos = learnable(photos, encoder)
            console.note(f"{len(photos)} captioned photographs of {len(photos.names)} classes")
        last: dict[str, float] = {}
        with training_bar(journal, out, steps, last) as report:
            make_student(
                samples,
                out,
                config=settings,
                predict_config=averaging_views(predict_settings(teacher)),
                captioned=photos,
                encoder_from=encoder_from,
                start_from=start_from,
                device=resolve_device(device),
                overwrite=overwrite,
                report=report,
                report_encoder=partial(report, stage="encoder"),
            )
        named = {} if photos is None else {"captioned": len(photos), "classes": len(photos.names)}
        journal.summary = {"out": str(out), "steps": steps, **named, **last}
    console.note(f"student written to {out}")
    unreadable = [] if photos is None else list(photos.unreadable)
    if json:
        told = {**named, "unreadable": unreadable} if photos else {}
        console.result({"out": str(out), "pairs": len(samples), "steps": steps, **told, **last})
    if unreadable:
        raise typer.Exit(1)
