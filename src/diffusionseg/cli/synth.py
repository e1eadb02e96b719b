"""`diffusionseg synth`: class names to image–mask pairs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from diffusionseg.cli import console, options
from diffusionseg.cli.run_log import run_log

EXAMPLE = 'Example: diffusionseg synth --classes "sunflower,starfish" --count 24 --seed 7 --out pairs'


def synth(
    classes: Annotated[str, typer.Option(help="Class names separated by commas, or @FILE with one name a line.")],
    out: options.SetOut,
    config: options.Config = None,
    model: options.Model = "mini",
    count: Annotated[int, typer.Option(min=1, help="Places of the set; classes take them in turn.")] = 24,
    seed: options.Seed = 0,
    steps: Annotated[int | None, typer.Option(help="Steps of the solver, 1 to 1000.")] = None,
    solver: Annotated[
        str | None, typer.Option(help="ddim, or dpm++ (DPM-Solver++ of second order), which needs fewer steps.")
    ] = None,
    guidance: Annotated[float | None, typer.Option(help="Classifier-free guidance, 1 (none) to 20.")] = None,
    template: Annotated[
        list[str] | None, typer.Option(help="Prompt template with {name} and perhaps {article}; repeatable.")
    ] = None,
    image_size: Annotated[int | None, typer.Option(help="Side in pixels; default the generator's own.")] = None,
    reread_noises: Annotated[
        int | None,
        typer.Option(help="Fresh noises under which attention is read again from the finished image, 0 to 64."),
    ] = None,
    refine: Annotated[
        str | None,
        typer.Option(help="Masks to pixels: cut (along colours; default) or guided (filter; as the attention has it)."),
    ] = None,
    prior: Annotated[
        float | None,
        typer.Option(help="Weight of the attention against colours in that cut, from 0; default 0.25, as suits mini."),
    ] = None,
    attempts: Annotated[int | None, typer.Option(help="Images tried for one place, 1 to 100.")] = None,
    max_border: Annotated[
        float | None, typer.Option(help="Largest share of the image's rim that an object may cover, 0 to 1.")
    ] = None,
    min_area: Annotated[float | None, typer.Option(help="Smallest share of the image that is object, 0 to 1.")] = None,
    max_area: Annotated[float | None, typer.Option(help="Largest share of the image that is object, 0 to 1.")] = None,
    min_agreement: Annotated[
        float | None, typer.Option(help="Smallest overlap (IoU) of cut and cross-attention, on their grid, 0 to 1.")
    ] = None,
    call_size: Annotated[
        int | None, typer.Option(help="Samples in one U-Net call; changes the set's bytes, so it belongs to the set.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Samples in flight; changes speed and memory, never the result.")
    ] = None,
    shard_size: Annotated[int, typer.Option(min=1, help="Places in one shard file.")] = 64,
    engine: options.Engine = "local",
    workers: options.Workers = None,
    max_failures: options.MaxFailures = 0,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    log: options.Log = None,
    json: options.Json = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Synthesise images of the named classes with masks from AttentionCut. An interrupted run goes on where it was."""
    asked = dict(locals())
    with console.errors_named(), run_log(log) as journal:
        from diffusionseg.data import open_store

        store = open_store(out)
        from diffusionseg.synthesis.prompts import parse_class_names

        names = _names_in_file(Path(classes[1:])) if classes.startswith("@") else parse_class_names(classes)
        import dataclasses
        from collections import Counter

        from diffusionseg.backbone import Backbone
        from diffusionseg.engine import parse_engine
        from diffusionseg.synthesis import Filled, GateConfig, SynthesisConfig, finished_places, synthesize_set

        given: dict[str, Any] = {
            "steps": steps,
            "solver": solver,
            "guidance": guidance,
            "templates": tuple(template) if template else None,
            "image_size": image_size,
            "reread_noises": reread_noises,
            "attempts": attempts,
            "call_size": call_size,
        }
        limits = {
            "max_border": max_border,
            "min_area": min_area,
            "max_area": max_area,
            "min_agreement": min_agreement,
        }
        given["cut"] = SynthesisConfig().cut.to_pixels(refine, prior)
        given["gate"] = dataclasses.replace(GateConfig(), **{k: v for k, v in limits.items() if v is not None})
        settings = dataclasses.replace(SynthesisConfig(), **{k: v for k, v in given.items() if v is not None})
        chosen = parse_engine(engine, workers)
        backbone = Backbone.from_pretrained(model, device=device, dtype=options.dtype_name(dtype))
        journal.start("synth", asked, settings=dataclasses.asdict(settings), model=backbone.fingerprint)
        with console.progress() as bar:
            finished = 0 if overwrite else finished_places(store, count, shard_size)
            task = bar.add_task("synthesis", total=count, completed=finished)
            rejects, failures, done = Counter[str](), 0, finished

            def report(filled: Filled) -> None:
                nonlocal done
                done += 1
                rejects.update(filled.rejects)
                bar.update(task, advance=1, description=_said(rejects, failures))
                journal.progress(done, count, {"rejects": rejects, "failures": failures}, skipped=finished)

            def ended(shard: str, failure: str | None) -> None:
                nonlocal failures
                if failure is None:
                    journal.write("shard", shard=shard)
                    return
                failures += 1
                bar.update(task, description=_said(rejects, failures))
                journal.write("failure", shard=shard, reason=failure)

            summary = synthesize_set(
                backbone,
                names,
                store,
                count=count,
                seed=seed,
                config=settings,
                batch_size=batch_size,
                shard_size=shard_size,
                overwrite=overwrite,
                engine=chosen,
                max_failures=max_failures,
                report=report,
                ended=ended,
            )
        journal.summary = dataclasses.asdict(summary)
    values = {**dataclasses.asdict(summary), "out": out}
    rejected = _listed(summary.rejects) or "none"
    console.note(f"{summary.samples} pairs in {count} places in {out}; rejected images: {rejected}")
    if json:
        console.result(values)
    if summary.failures:
        failed = "; ".join(summary.failures)
        raise console.fail(f"{len(summary.failures)} shards failed, the same command makes them: {failed}", 1)
    if summary.samples == 0:
        raise console.fail("the quality gate let no image pass; try other --classes, --guidance or --attempts")


def _said(rejects: Mapping[str, int], failures: int) -> str:
    rejected = f", rejected: {_listed(rejects)}" if rejects else ""
    return f"synthesis{rejected}{f'; {failures} shards failed' if failures else ''}"


def _listed(rejects: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {reason}" for reason, n in sorted(rejects.items()))


def _names_in_file(path: Path) -> tuple[str, ...]:
    from diffusionseg.synthesis.prompts import class_names

    try:
        return class_names(path.read_text(encoding="utf-8-sig").splitlines())
    except UnicodeDecodeError as error:
        raise ValueError(f"--classes @{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise ValueError(f"--classes @{path}: {error.strerror}") from error
