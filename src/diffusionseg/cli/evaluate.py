"""`diffusionseg eval`: predictions against masks, boxes or COCO instances."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from diffusionseg.cli import console, options
from diffusionseg.cli.evaluation_text import lines

EXAMPLE = "Example: diffusionseg eval --pred predictions --masks ecssd/masks --protocol all --intervals --json"


def evaluate(
    pred: Annotated[Path, typer.Option(help="Folder written by predict.")],
    config: options.Config = None,
    masks: Annotated[
        Path | None,
        typer.Option(help="Folder of ground-truth masks, or the root of a data set that `datasets check` recognises."),
    ] = None,
    boxes: Annotated[
        Path | None,
        typer.Option(help="boxes.jsonl with the objects of each image, or the root of VOC, COCO20k or CUB: CorLoc."),
    ] = None,
    coco: Annotated[Path | None, typer.Option(help="COCO instances.json: AP50, AP75 and AR of all boxes.")] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            help="Definition of acc, iou and max_f (repeatable): tokencut (default), move, selfmask, found "
            "(found-single and found-multi), unioncut, pysod, or all."
        ),
    ] = None,
    measures: Annotated[
        str | None,
        typer.Option(help="Further measures: any of mae,f,e,s,weighted-f,pr,miou,boundary-f, or all."),
    ] = None,
    intervals: Annotated[
        bool, typer.Option("--intervals", help="Add 95 % confidence intervals (bootstrap over images).")
    ] = False,
    against: Annotated[
        Path | None, typer.Option(help="Folder of another method's predictions: paired test of the difference.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Part of the data set at --masks or --boxes: a list of VOC (default trainval) or pets, train or test "
            "of CUB; for COCO a file with ids or names of images."
        ),
    ] = None,
    undecided: Annotated[
        str | None,
        typer.Option(
            help="Grey, void and border pixels of --masks, which are refused without it: object, half (grey above "
            "half), background, or protocol (grey is cut where each protocol says)."
        ),
    ] = None,
    engine: options.Engine = "local",
    workers: options.Workers = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Short for --engine processes:N.")] = None,
    seed: options.Seed = 0,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Count missing predictions as empty instead of stopping.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write a page, tables and a record of every image there.")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(help="Photographs for --report, where --masks or --boxes is not the root of a data set."),
    ] = None,
    json: options.Json = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write the report into a folder that holds something else.")
    ] = False,
) -> None:
    """Print acc, iou and max_f (--masks), corloc (--boxes) or ap50, ap75 and ar100 (--coco), each with its protocol."""
    with console.errors_named():
        from diffusionseg.engine import LOCAL, Engine, parse_engine
        from diffusionseg.evaluation import evaluate_boxes, evaluate_coco, evaluate_saliency

        if sum(truth is not None for truth in (masks, boxes, coco)) != 1:
            raise ValueError("give one of --masks, --boxes and --coco")
        only_masks = {"--protocol": protocol, "--measures": measures, "--undecided": undecided}
        unused = [flag for flag, value in only_masks.items() if value is not None and masks is None]
        if coco is not None:
            only_others = {"--intervals": intervals, "--against": against, "--report": report, "--split": split}
            unused += [flag for flag, value in only_others.items() if value]
        if masks is None:
            unused += [f for f, given in {"--jobs": jobs, "--engine": engine != "local"}.items() if given]
        if unused:
            raise ValueError(
                f"{unused[0]} does not go with {'--boxes' if boxes is not None else '--coco'}; leave it out"
            )
        if report is None and (images is not None or overwrite):
            raise ValueError(f"{'--images' if images is not None else '--overwrite'} is for --report; give one")
        on_masks: Callable[..., dict[str, Any]] = evaluate_saliency
        on_boxes: Callable[..., dict[str, Any]] = evaluate_boxes
        if report is not None:
            from diffusionseg.evaluation.report import report_boxes, report_saliency

            on_masks = partial(report_saliency, out=report, images=images, overwrite=overwrite)
            on_boxes = partial(report_boxes, out=report, images=images, overwrite=overwrite)
        chosen = parse_engine(engine, workers)
        if jobs is not None:
            if engine != "local":
                raise ValueError("--jobs N is short for --engine processes:N; leave one of them out")
            chosen = Engine("processes", jobs) if jobs > 1 else LOCAL
        values: dict[str, Any]
        if masks is not None:
            with console.progress() as bar:
                task = bar.add_task("evaluation", total=None)
                values = on_masks(
                    pred,
                    masks,
                    protocols=protocol or ["tokencut"],
                    measures=[] if measures is None else [name.strip() for name in measures.split(",")],
                    intervals=intervals,
                    against=against,
                    split=split,
                    undecided=undecided,
                    seed=seed,
                    engine=chosen,
                    allow_missing=allow_missing,
                    report=lambda done, total: bar.update(task, completed=done, total=total),
                )
        elif boxes is not None:
            values = on_boxes(
                pred, boxes, intervals=intervals, against=against, seed=seed, split=split, allow_missing=allow_missing
            )
        elif coco is not None:
            values = evaluate_coco(pred, coco, allow_missing=allow_missing)
    if report is not None:
        console.note(f"report in {report / 'report.html'}")
    if json:
        console.result(values)
    else:
        typer.echo("\n".join(lines(values)))
