"""Some photographs to their pictures and records: the work that any engine hands to its workers."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from PIL import Image

from diffusionseg.data import ImageError, default_output, read_image, read_json_object, whole_file
from diffusionseg.engine import MakeWorker, Share, Worker
from diffusionseg.prediction.pictures import PICTURES, CutoutConfig, prediction_picture, prediction_record
from diffusionseg.prediction.predict import PredictConfig, Prediction
from diffusionseg.prediction.records import Record
from diffusionseg.prediction.segmenter import Segmenter
from diffusionseg.prediction.settings import differing

SETTINGS = "settings.json"
BATCH = 8
"""Photographs in one call on an accelerator, unless told otherwise."""
_LARGE = 16_000_000
"""Pixels above which photographs are refined one after the other, so that several do not fill the memory."""
_one_large = threading.Lock()


@dataclass(frozen=True)
class PhotoTask:
    """One photograph to be predicted."""

    image: str
    """Its name in the records."""
    path: Path
    """Where it is, absolute."""
    output: str
    """Path of its pictures below the folder of the predictions, without extension."""


@dataclass(frozen=True)
class PhotoPlan:
    """What is done to every photograph, and where that is written."""

    out: Path
    """Folder of the predictions, absolute."""
    kinds: tuple[str, ...]
    """Pictures that are written, of PICTURES."""
    config: PredictConfig
    """How saliency becomes mask and boxes."""
    batch_size: int | None
    """Photographs at once; None for as many as there are cores, or BATCH on an accelerator."""
    model: dict[str, Any]
    """What the folder's settings say of the model."""
    cutouts: CutoutConfig = field(default_factory=CutoutConfig)
    """What `rgba` pictures look like."""


def shared_worker(model: Segmenter, plan: PhotoPlan) -> MakeWorker:
    """Makes workers that use this very model, in this process."""
    return lambda share: photo_worker(model, plan, share)


def loading_worker(model: Segmenter, plan: PhotoPlan) -> MakeWorker:
    """Makes workers that load the model for themselves, wherever they are."""
    return partial(_load, model.sender(), plan)


def _load(make: Callable[[int], Segmenter], plan: PhotoPlan, share: Share) -> Worker:
    # Another machine must see the same folder.
    others = differing(read_json_object(plan.out / SETTINGS).get("model", {}), plan.model)
    if others:
        raise ValueError(f"{plan.out}: this worker finds other predictions there ({', '.join(others)} differ)")
    return photo_worker(make(share.number), plan, share)


def photo_worker(model: Segmenter, plan: PhotoPlan, share: Share) -> Worker:
    """A worker that predicts a sequence of PhotoTasks, writes their pictures and tells their records in order.

    On a CPU each photograph goes through the model alone and on one core, and several side by side: its result
    depends neither on what else is predicted nor on the number of cores. Elsewhere they go in batches.
    """
    if model.in_batches:
        return partial(_in_batches, model, plan, share.tell)
    number = min(plan.batch_size or share.cores, share.cores)
    return partial(_side_by_side, model, SimpleQueue(), number, plan, share.tell)


def _side_by_side(
    original: Segmenter,
    idle: SimpleQueue[Segmenter],
    number: int,
    plan: PhotoPlan,
    tell: Callable[[Record], None],
    tasks: Sequence[PhotoTask],
) -> None:
    def work(task: PhotoTask) -> Record:
        # No more copies than have to work at once: a single photograph does not wait for those of other cores.
        try:
            model = idle.get_nowait()
        except Empty:
            model = original.copy_for_thread()
        try:
            return _alone(model, plan, task)
        finally:
            idle.put(model)

    again = []
    with original.side_by_side(min(number, len(tasks))) as pool:
        futures = [pool.submit(work, task) for task in tasks]
        try:
            for task, future in zip(tasks, futures, strict=True):
                record = future.result()
                if record.get("error", "").startswith("out of memory"):
                    again.append(task)
                else:
                    tell(record)
            for task in again:
                # Where nothing else is in memory there may be room for it.
                tell(pool.submit(work, task).result())
        finally:
            for future in futures:
                future.cancel()


def _alone(model: Segmenter, plan: PhotoPlan, task: PhotoTask) -> Record:
    # Before it is read: what is written to it meanwhile is then noticed.
    source = source_of(task.path)
    try:
        pixels = np.asarray(read_image(task.path))
    except ImageError as error:
        return _failed(plan, task, error.reason)
    with _one_large if pixels.size > 3 * _LARGE else nullcontext():
        ((_, outcome),) = model.predict_iter([(task.image, pixels)], 1, plan.config)
        return _written(plan, task, source, outcome)


def _in_batches(model: Segmenter, plan: PhotoPlan, tell: Callable[[Record], None], tasks: Sequence[PhotoTask]) -> None:
    sources = {task.image: source_of(task.path) for task in tasks}
    for task, outcome in model.predict_iter(((t, t.path) for t in tasks), plan.batch_size or BATCH, plan.config):
        tell(_written(plan, task, sources[task.image], outcome))


def source_of(path: Path) -> dict[str, Any]:
    """Which file a photograph is, to tell it from another, or a later one, of the same name."""
    try:
        return {"source": path.resolve().as_posix(), "changed": path.stat().st_mtime_ns}
    except (OSError, ValueError, RuntimeError):
        # Not there, a loop of links, or no valid path at all; reading it says so.
        return {"source": path.as_posix(), "changed": 0}


def picture_paths(stem: Path, kinds: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """(kind, file) of each picture of the photograph whose outputs go to `stem`."""
    return ((kind, stem.with_name(f"{stem.name}.{kind}.png")) for kind in kinds)


def remove_pictures(stem: Path) -> None:
    """Delete the pictures of a photograph."""
    for _, path in picture_paths(stem, PICTURES):
        try:
            path.unlink(missing_ok=True)
        except ValueError:
            # No file has a name with a zero byte in it.
            return
        except OSError as error:
            # What has a name too long to exist, or a file for a folder, is not there either.
            if error.errno not in (errno.ENAMETOOLONG, errno.ENOTDIR):
                raise


def _written(
    plan: PhotoPlan, task: PhotoTask, source: dict[str, Any], outcome: tuple[Image.Image, Prediction] | ImageError
) -> Record:
    if isinstance(outcome, ImageError):
        return _failed(plan, task, outcome.reason)
    photo, prediction = outcome
    try:
        _write_pictures(plan, task, photo, prediction)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return _failed(plan, task, "its name is too long to add .saliency.png to it; shorten it")
    named = {} if task.output == default_output(task.image) else {"output": task.output}
    return {"image": task.image, **named, **source, **prediction_record(prediction)}


def _failed(plan: PhotoPlan, task: PhotoTask, reason: str) -> Record:
    remove_pictures(plan.out / task.output)
    return {"image": task.image, "error": reason}


def _write_pictures(plan: PhotoPlan, task: PhotoTask, photo: Image.Image, prediction: Prediction) -> None:
    for kind, path in picture_paths(plan.out / task.output, plan.kinds):
        with whole_file(path) as file:
            prediction_picture(kind, photo, prediction, plan.cutouts).save(file, "PNG")
