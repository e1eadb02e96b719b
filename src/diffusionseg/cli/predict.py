"""`diffusionseg predict`: photographs to masks, saliency, cut-outs and boxes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diffusionseg.cli import console, options
from diffusionseg.cli.run_log import run_log

if TYPE_CHECKING:
    from diffusionseg.prediction import Dealt

EXAMPLE = "Example: diffusionseg predict photos --type mask --type rgba --out predictions"


def predict(
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Photographs, folders that are searched through, or patterns such as 'a/*.jpg'; - is a photograph on "
            "standard input, whose picture goes to standard output."
        ),
    ] = None,
    out: Annotated[
        Path | None, options.out_folder("Folder of the pictures and of predictions.jsonl; needed but with -.")
    ] = None,
    list: Annotated[
        Path | None,
        typer.Option(
            "--list",
            metavar="FILE",
            help="Instead: a file with one path a line, from the working directory on; - is standard input.",
        ),
    ] = None,
    config: options.Config = None,
    weights: options.AnyWeights = "mini",
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
    margin: Annotated[
        list[float] | None,
        typer.Option(
            min=0,
            max=0.9,
            help="Share of mirror image around the photograph; several give as many views to average; repeatable.",
        ),
    ] = None,
    background: Annotated[
        str, typer.Option(help="Colour behind cut-outs (rgba), as '#rrggbb' or a name; default: none.")
    ] = "",
    crop_to_object: Annotated[
        bool, typer.Option("--crop-to-object", help="Cut cut-outs (rgba) down to the object's box.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on with photographs that appear in the folder, until Ctrl-C.")
    ] = False,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1, help="Photographs at once; default: one a core on a CPU, 8 in a U-Net call on an accelerator."
        ),
    ] = None,
    engine: options.Engine = "local",
    workers: options.Workers = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    log: options.Log = None,
    json: options.Json = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Predict what is given again; where --out holds predictions with other settings, delete them first.",
        ),
    ] = False,
) -> None:
    """Find the main object of every photograph. What an earlier run did is skipped; what failed is tried again."""
    asked = dict(locals())
    with console.errors_named(), run_log(log) as journal:
        import dataclasses

        from diffusionseg.cli import predict_input
        from diffusionseg.engine import parse_engine

        if bool(inputs) == (list is not None):
            raise ValueError("give photographs or folders, or --list FILE")
        chosen = parse_engine(engine, workers)
        of_many = {
            "--include": include,
            "--engine": chosen.kind != "local",
            "--batch-size": batch_size,
            "--overwrite": overwrite,
            "--watch": watch,
        }
        piped = predict_input.is_piped(inputs, out, [flag for flag, value in of_many.items() if value])
        kinds = tuple(dict.fromkeys(type or (["mask"] if piped else ["saliency", "mask"])))
        if "rgba" not in kinds and (background or crop_to_object):
            raise ValueError(
                f"{'--background' if background else '--crop-to-object'} says what cut-outs look like; add --type rgba"
            )
        from diffusionseg.prediction import CutoutConfig, predict_folder, watch_folder
        from diffusionseg.segmenters import load_segmenter

        cutouts = CutoutConfig(background, crop_to_object)
        sources = predict_input.expanded(inputs or ())
        watched = predict_input.watched(sources, list, chosen, overwrite) if watch else None
        segmenter = load_segmenter(weights, model=model, device=device, dtype=options.dtype_name(dtype))
        given: dict[str, Any] = {"refine": refine, "threshold": threshold, "multiple": multiple, "flip": flip}
        given["margins"] = tuple(margin) if margin else None
        settings = segmenter.predict_config
        if prior is not None:
            given["cut"] = dataclasses.replace(settings.cut, prior=prior)
        settings = dataclasses.replace(settings, **{k: v for k, v in given.items() if v is not None})
        if prior is not None and settings.refine != "cut":
            raise ValueError(f"--prior counts in --refine cut alone, and it is {settings.refine}; leave --prior out")
        journal.start("predict", asked, settings=asdict(settings), model=segmenter.names())
        if piped:
            predict_input.answer(segmenter, settings, kinds, cutouts, json=json)
            return
        assert out is not None
        with console.progress() as bar:
            task = bar.add_task("photographs", total=None)
            units = 0

            def report(dealt: Dealt) -> None:
                nonlocal units
                # What was done before is not counted, so that rate and time left are those of this run.
                left = None if dealt.total is None else dealt.total - dealt.skipped
                bar.update(task, completed=dealt.predicted + dealt.failed, total=left, description=_said(dealt))
                if dealt.error is not None:
                    journal.write("failure", image=dealt.error[0], reason=dealt.error[1])
                if dealt.units > units:
                    units = dealt.units
                    journal.write("unit", units=units)
                done = dealt.predicted + dealt.skipped + dealt.failed
                journal.progress(done, dealt.total, {"failures": dealt.failed}, skipped=dealt.skipped)

            def cleared(number: int) -> None:
                console.note(f"--overwrite: {number} predictions with other settings deleted")

            common: dict[str, Any] = {
                "kinds": kinds,
                "config": settings,
                "include": include or (),
                "cutouts": cutouts,
                "batch_size": batch_size,
                "report": report,
            }
            if watched is not None:
                summary = predict_input.keep_watching(watch_folder(segmenter, watched, out, **common))
            else:
                summary = predict_folder(
                    segmenter, sources, out, listed=list, overwrite=overwrite, engine=chosen, cleared=cleared, **common
                )
        counts = {"images": summary.images, "predicted": summary.predicted, "skipped": summary.skipped}
        journal.summary = {**counts, "failures": len(summary.errors)}
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


def _said(dealt: Dealt) -> str:
    before = f", {dealt.skipped} done before" if dealt.skipped else ""
    return f"photographs{before}{f', {dealt.failed} failed' if dealt.failed else ''}"
