"""A run over many photographs: what is left to be done, shared out, and each result written down as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from diffusionseg.data import InputImage, OutputNames, append_json_line, output_of
from diffusionseg.engine import Engine, Failure, MakeWorker, WorkerLost, run_units
from diffusionseg.prediction.finding import Photographs
from diffusionseg.prediction.photo_work import PhotoPlan, PhotoTask, picture_paths, remove_pictures, source_of
from diffusionseg.prediction.records import RECORDS, Record, RecordIndex, end_last_line

UNIT = 32
"""Photographs that a worker gets at a time."""


@dataclass(frozen=True)
class Dealt:
    """How far a run is."""

    predicted: int
    """Photographs predicted by this run."""
    skipped: int
    """Found to be predicted by an earlier run."""
    failed: int
    """That could not be predicted."""
    total: int | None
    """Photographs in all; None as long as they are being counted."""
    units: int
    """Runs of UNIT photographs that are done."""
    error: tuple[str, str] | None = None
    """(input, reason) where the last one failed."""


class PhotoRun:
    """The only one that writes to a folder's predictions.jsonl, and what it has done so far."""

    def __init__(self, photographs: Photographs, plan: PhotoPlan, report: Callable[[Dealt], None]) -> None:
        self.photographs, self.plan, self.report = photographs, plan, report
        self.found = self.predicted = self.skipped = self.units = 0
        self.errors: list[tuple[str, str]] = []
        self.superseded = False
        """Whether a photograph may have an earlier line."""
        self._told: set[str] = set()
        """Photographs of units in hand that have their line."""

    def __enter__(self) -> PhotoRun:
        path = self.plan.out / RECORDS
        end_last_line(path)
        self._names = OutputNames()
        self._earlier = RecordIndex(path, self._keep_name)
        self.superseded = self._earlier.doubled
        return self

    def __exit__(self, *_: object) -> None:
        self._earlier.close()

    def predict(self, engine: Engine, make_worker: MakeWorker, gpus: int) -> None:
        """Predict what is to be predicted."""
        lost: list[PhotoTask] = []
        for tasks, _ in self._failures(engine, make_worker, self._units(), gpus):
            lost += [task for task in tasks if task.image not in self._told]
            self._told.difference_update(task.image for task in tasks)
        # One photograph that kills its worker must not take others with it.
        for (task,), error in self._failures(engine, make_worker, ((task,) for task in lost), gpus):
            self._hear({"image": task.image, "error": str(error)})
        self.photographs.total = self.found
        self._say()

    def _failures(
        self, engine: Engine, make_worker: MakeWorker, units: Iterable[tuple[PhotoTask, ...]], gpus: int
    ) -> Iterator[tuple[tuple[PhotoTask, ...], WorkerLost]]:
        with closing(run_units(engine, make_worker, units, heard=self._hear, gpus=gpus)) as results:
            for tasks, result in results:
                if isinstance(result, Failure):
                    if not isinstance(result.error, WorkerLost):
                        raise result.error
                    yield tasks, result.error
                    continue
                self._told.difference_update(task.image for task in tasks)
                self.units += 1
                self._say()

    def _units(self) -> Iterator[tuple[PhotoTask, ...]]:
        unit: list[PhotoTask] = []
        for image in self.photographs:
            self.found += 1
            task = self._task(image)
            if task is not None:
                unit.append(task)
                if len(unit) == UNIT:
                    yield tuple(unit)
                    unit = []
        if unit:
            yield tuple(unit)

    def _keep_name(self, record: Record) -> None:
        if "error" not in record:
            # Or a.png of this run would overwrite what a.jpg of another one left.
            self._names.keep(output_of(record))

    def _task(self, image: InputImage) -> PhotoTask | None:
        """What is to be done with a photograph; None where that is done."""
        name = image.relative.as_posix()
        before = self._earlier.last(name)
        if before is None or "error" in before:
            return PhotoTask(name, image.path.absolute(), self._names.give(image))
        output, source = output_of(before), source_of(image.path)
        if before.get("source", source["source"]) != source["source"]:
            raise ValueError(
                f"{self.plan.out}: holds {name} predicted from {before['source']}; use another --out or --overwrite"
            )
        pictures = picture_paths(self.plan.out / output, self.plan.kinds)
        if not source.items() <= before.items():
            # Those of kinds that are not asked for this time show what the photograph was before.
            remove_pictures(self.plan.out / output)
        elif all(path.exists() for _, path in pictures):
            self.skipped += 1
            return None
        return PhotoTask(name, image.path.absolute(), output)

    def _hear(self, record: Record) -> None:
        name = record["image"]
        if name in self._told:
            # Of a unit that was begun again because its worker was lost.
            return
        self._told.add(name)
        before = self._earlier.last(name)
        if record != before:
            append_json_line(self.plan.out / RECORDS, record)
            self.superseded |= before is not None
        error = (name, record["error"]) if "error" in record else None
        if error is None:
            self.predicted += 1
        else:
            self.errors.append(error)
        self._say(error)

    def _say(self, error: tuple[str, str] | None = None) -> None:
        total = self.photographs.total
        self.report(Dealt(self.predicted, self.skipped, len(self.errors), total, self.units, error))
        # Not earlier, since the first photograph should not wait for it.
        self.photographs.count()
