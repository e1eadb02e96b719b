"""Predict files, folders and lists to pictures and `predictions.jsonl`, resuming where an earlier run ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusionseg.data import claimed, json_bytes, output_of, read_json_object
from diffusionseg.engine import LOCAL, Engine, check_engine
from diffusionseg.prediction.finding import find_photographs
from diffusionseg.prediction.photo_run import Dealt, PhotoRun
from diffusionseg.prediction.photo_work import SETTINGS, PhotoPlan, loading_worker, remove_pictures, shared_worker
from diffusionseg.prediction.pictures import PICTURES
from diffusionseg.prediction.predict import PredictConfig
from diffusionseg.prediction.records import RECORDS, drop_superseded, whole_lines, written_anew
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


def predict_folder(
    model: Segmenter,
    inputs: Sequence[Path],
    out: Path,
    *,
    listed: Path | None = None,
    kinds: Sequence[str] = ("saliency", "mask"),
    config: PredictConfig | None = None,
    include: Sequence[str] = (),
    batch_size: int | None = None,
    overwrite: bool = False,
    engine: Engine = LOCAL,
    report: Callable[[Dealt], None] = lambda _: None,
) -> FolderSummary:
    """Write STEM.KIND.png for every image of `inputs` and a line of `out`/predictions.jsonl for each.

    `listed`, a file with one path a line or `-` for standard input, takes the place of `inputs`. A single folder and a
    list are read while the work goes on; several inputs are searched first. Nothing depends on `engine`, nor, on a CPU,
    on `batch_size`, the photographs worked on at once (default: as many as cores; 8 in a call on an accelerator).
    Inputs that an earlier run with the same settings predicted are skipped, failed ones are tried again; folders of
    earlier predictions below the inputs are not searched. `report` is called for every photograph and unit of work
    done. Raises ValueError when nothing is found, `out` holds predictions of another model, other settings or other
    photographs, or another run writes there.
    """
    unknown = sorted(set(kinds) - set(PICTURES))
    if unknown:
        raise ValueError(f"--type {', '.join(unknown)}: choose from {', '.join(PICTURES)}")
    inside = [source for source in inputs if source.is_dir() and source.resolve() == out.resolve()]
    if inside:
        raise ValueError(f"--out {out} is the folder of the inputs; the pictures written would become inputs")
    check_engine(engine)
    photographs = find_photographs(inputs, listed, include, out)
    config = config or model.predict_config
    described = model.description(weights=model.fingerprint) | {"predict": to_json(config)}
    plan = PhotoPlan(out.absolute(), tuple(kinds), config, batch_size, described)
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
        if overwrite:
            _clear(out)
        _check_settings(out, described)
        with PhotoRun(photographs, plan, said) as run:
            run.predict(engine, make_worker, model.gpus)
        if run.superseded:
            drop_superseded(out / RECORDS)
    return FolderSummary(run.found, run.predicted, run.skipped, tuple(run.errors))


def _clear(out: Path) -> None:
    """Delete what an earlier run left, its settings last, so that a kill in between mixes nothing."""
    for _, _, record in whole_lines(out / RECORDS):
        for name in {record["image"], output_of(record)}:
            path = Path(name)
            # The file may be anybody's: nothing outside the folder is touched.
            if path.name and not path.is_absolute() and ".." not in path.parts:
                remove_pictures(out / path)
    (out / RECORDS).unlink(missing_ok=True)
    (out / SETTINGS).unlink(missing_ok=True)


def _check_settings(out: Path, described: dict[str, Any]) -> None:
    path = out / SETTINGS
    if path.exists():
        differences = differing({"model": read_json_object(path).get("model")}, {"model": described})
        if differences:
            raise ValueError(
                f"{out}: holds predictions made with other settings ({', '.join(differences)} differ); "
                "use another --out or --overwrite"
            )
    else:
        _write_settings(out, {"model": described})


def _note_number(out: Path, photographs: int) -> None:
    """Write down how many photographs the last run was given, for whoever asks how far it is."""
    settings = read_json_object(out / SETTINGS)
    if settings.get("photographs") != photographs:
        _write_settings(out, {**settings, "photographs": photographs})


def _write_settings(out: Path, settings: dict[str, Any]) -> None:
    with written_anew(out / SETTINGS) as file:
        file.write(json_bytes(settings))
