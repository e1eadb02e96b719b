"""Predict files, folders and lists to pictures and `predictions.jsonl`, resuming where an earlier run ended."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusionseg.data import claimed, json_bytes, output_of, read_json_object
from diffusionseg.engine import LOCAL, Engine, check_engine
from diffusionseg.prediction.finding import Photographs, find_photographs
from diffusionseg.prediction.photo_run import Dealt, PhotoRun
from diffusionseg.prediction.photo_work import SETTINGS, PhotoPlan, loading_worker, remove_pictures, shared_worker
from diffusionseg.prediction.pictures import PICTURES, CutoutConfig
from diffusionseg.prediction.predict import PredictConfig
from diffusionseg.prediction.records import RECORDS, Record, drop_superseded, whole_lines, written_anew
from diffusionseg.prediction.segmenter import Segmenter
from diffusionseg.prediction.settings import differing, to_json


@dataclass(frozen=True)
class FolderSummary:
    """What became of the inputs."""

    images: int
    """Inputs found."""
    predicted: int
    """Predicted by this run."""
    skipped: int
    """Predicted by an earlier run."""
    errors: tuple[tuple[str, str], ...]
    """(input, reason) of each that could not be predicted."""
    deleted: int = 0
    """Photographs whose predictions with other settings `overwrite` has deleted."""


def predict_folder(
    model: Segmenter,
    inputs: Sequence[Path],
    out: Path,
    *,
    listed: Path | None = None,
    kinds: Sequence[str] = ("saliency", "mask"),
    config: PredictConfig | None = None,
    include: Sequence[str] = (),
    cutouts: CutoutConfig | None = None,
    batch_size: int | None = None,
    overwrite: bool = False,
    engine: Engine = LOCAL,
    report: Callable[[Dealt], None] = lambda _: None,
    cleared: Callable[[int], None] = lambda _: None,
) -> FolderSummary:
    """Write STEM.KIND.png for every image of `inputs` and a line of `out`/predictions.jsonl for each.

    `listed`, a file with one path a line or `-` for standard input, takes the place of `inputs`. A single folder and a
    list are read while the work goes on; several inputs are searched first. Nothing depends on `engine`, nor, on a CPU,
    on `batch_size`, the photographs worked on at once (default: as many as cores; 8 in a call on an accelerator).
    Inputs that an earlier run with the same settings predicted are skipped, failed ones are tried again. With
    `overwrite` they are predicted again, and predictions of other photographs stay; where the settings are others, all
    earlier predictions in `out` are deleted first, and `cleared` is told of how many photographs they were. Sets and
    folders of earlier predictions below the inputs are not searched. `report` is called for every photograph and unit
    of work done. Raises ValueError when nothing is found, `out` holds predictions of another model, other settings or
    other photographs, or another run writes there.
    """
    check_kinds(kinds)
    check_out(inputs, out)
    check_engine(engine)
    photographs = find_photographs(inputs, listed, include, out)
    plan = make_plan(model, out, kinds=kinds, config=config, cutouts=cutouts, batch_size=batch_size)
    return predict_photographs(
        model, photographs, plan, overwrite=overwrite, engine=engine, report=report, cleared=cleared
    )


def check_kinds(kinds: Sequence[str]) -> None:
    """Raise ValueError naming a kind of picture that there is not."""
    unknown = sorted(set(kinds) - set(PICTURES))
    if unknown:
        raise ValueError(f"--type {', '.join(unknown)}: choose from {', '.join(PICTURES)}")


def check_out(inputs: Sequence[Path], out: Path) -> None:
    """Raise ValueError where `out` is an input."""
    if any(source.is_dir() and source.resolve() == out.resolve() for source in inputs):
        raise ValueError(f"--out {out} is the folder of the inputs; the pictures written would become inputs")


def make_plan(
    model: Segmenter,
    out: Path,
    *,
    kinds: Sequence[str],
    config: PredictConfig | None,
    cutouts: CutoutConfig | None,
    batch_size: int | None,
) -> PhotoPlan:
    """What is done to every photograph."""
    config, cutouts = config or model.predict_config, cutouts or CutoutConfig()
    described = model.description(weights=model.fingerprint, dtype=model.dtype_name) | {"predict": to_json(config)}
    return PhotoPlan(out.absolute(), tuple(kinds), config, batch_size, described, cutouts)


def predict_photographs(
    model: Segmenter,
    photographs: Photographs,
    plan: PhotoPlan,
    *,
    overwrite: bool = False,
    engine: Engine = LOCAL,
    report: Callable[[Dealt], None] = lambda _: None,
    cleared: Callable[[int], None] = lambda _: None,
) -> FolderSummary:
    """What `predict_folder` does, with photographs that were found before."""
    out = plan.out
    make_worker = shared_worker(model, plan) if engine.kind == "local" else loading_worker(model, plan)
    noted: list[int] = []

    def said(dealt: Dealt) -> None:
        if dealt.total is not None and dealt.total not in noted:
            noted.append(dealt.total)
            _note_number(out, dealt.total)
        report(dealt)

    with claimed(out / RECORDS) as mine:
        if not mine:
            raise ValueError(f"{out}: another run is writing there; wait for its end, or use another --out")
        deleted = 0
        if overwrite and _same_settings(out, plan):
            images = list(photographs)
            photographs = Photographs(iter(images), None, len(images))
            _forget(out, {image.relative.as_posix() for image in images})
        elif overwrite:
            deleted = _clear(out)
            if deleted:
                cleared(deleted)
        _begin(out, plan)
        with PhotoRun(photographs, plan, said) as run:
            run.predict(engine, make_worker, model.gpus)
        if run.superseded:
            drop_superseded(out / RECORDS)
        _write_settings(out, {**read_json_object(out / SETTINGS), "ended": True})
    return FolderSummary(run.found, run.predicted, run.skipped, tuple(run.errors), deleted)


def _clear(out: Path) -> int:
    """Delete what an earlier run left, its settings last, so that a kill in between mixes nothing; returns of how many
    photographs that was."""
    deleted = set()
    for _, _, record in whole_lines(out / RECORDS):
        if "error" not in record:
            deleted.add(record["image"])
        _remove_pictures(out, record)
    (out / RECORDS).unlink(missing_ok=True)
    (out / SETTINGS).unlink(missing_ok=True)
    return len(deleted)


def _forget(out: Path, images: Collection[str]) -> None:
    """Delete what an earlier run left of these photographs, their records last, so that a killed run, too, leaves them
    to be done."""
    for _, _, record in whole_lines(out / RECORDS):
        if record["image"] in images:
            _remove_pictures(out, record)
    with written_anew(out / RECORDS) as file:
        for _, line, record in whole_lines(out / RECORDS):
            if record["image"] not in images:
                file.write(line)


def _remove_pictures(out: Path, record: Record) -> None:
    for name in {record["image"], output_of(record)}:
        path = Path(name)
        # The file may be anybody's: nothing outside the folder is touched.
        if path.name and not path.is_absolute() and ".." not in path.parts:
            remove_pictures(out / path)


def _described(plan: PhotoPlan) -> dict[str, Any]:
    """What the predictions of a folder share."""
    cutouts = {"cutouts": to_json(plan.cutouts)} if "rgba" in plan.kinds else {}
    return {"model": plan.model, **cutouts}


def _differences(before: dict[str, Any], plan: PhotoPlan) -> list[str]:
    wanted = _described(plan)
    # A folder without cut-outs takes any.
    shared = [name for name in wanted if name == "model" or name in before]
    return differing({name: before.get(name) for name in shared}, {name: wanted[name] for name in shared})


def _same_settings(out: Path, plan: PhotoPlan) -> bool:
    """Whether the predictions in a folder are known to be made as `plan` says."""
    try:
        return not _differences(read_json_object(out / SETTINGS), plan)
    except (OSError, ValueError):
        return False


def _begin(out: Path, plan: PhotoPlan) -> None:
    """Write down what the folder's predictions are made with, and that a run is under way.

    Raises ValueError naming what differs where the folder's are made with something else.
    """
    path = out / SETTINGS
    before: dict[str, Any] = read_json_object(path) if path.exists() else _described(plan)
    differences = _differences(before, plan)
    if differences:
        raise ValueError(
            f"{out}: holds predictions made with other settings ({', '.join(differences)} differ); "
            "use another --out or --overwrite"
        )
    if before.get("ended"):
        # This run may be over other photographs, so nobody knows how many there will be.
        before["photographs"] = None
    _write_settings(out, {**before, **_described(plan), "ended": False})


def _note_number(out: Path, photographs: int) -> None:
    """Write down how many photographs a run is given, for whoever asks how far it is, until one has come to its end."""
    settings = read_json_object(out / SETTINGS)
    if settings.get("photographs", 0) not in (None, photographs):
        _write_settings(out, {**settings, "photographs": photographs})


def _write_settings(out: Path, settings: dict[str, Any]) -> None:
    with written_anew(out / SETTINGS) as file:
        file.write(json_bytes(settings))
