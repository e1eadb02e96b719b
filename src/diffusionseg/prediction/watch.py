"""A folder that photographs keep coming to: each is predicted once it has been written."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from diffusionseg.data import InputImage, walk_images
from diffusionseg.prediction.finding import WRITTEN, Photographs
from diffusionseg.prediction.folder import FolderSummary, check_kinds, check_out, make_plan, predict_photographs
from diffusionseg.prediction.photo_run import Dealt
from diffusionseg.prediction.pictures import CutoutConfig
from diffusionseg.prediction.predict import PredictConfig
from diffusionseg.prediction.segmenter import Segmenter

POLL = 0.25
"""Seconds between two looks into the folder; more where a look itself takes long."""
SETTLED = 1.0
"""Seconds for which a file must not have changed."""
_State = tuple[int, int, int]
"""Size, time of the last change and number of a file."""


def watch_folder(
    model: Segmenter,
    folder: Path,
    out: Path,
    *,
    kinds: Sequence[str] = ("saliency", "mask"),
    config: PredictConfig | None = None,
    include: Sequence[str] = (),
    cutouts: CutoutConfig | None = None,
    batch_size: int | None = None,
    report: Callable[[Dealt], None] = lambda _: None,
    ended: Callable[[], bool] = lambda: False,
) -> Iterator[FolderSummary]:
    """Do what `predict_folder` does with a folder, and go on with each photograph that appears or changes in it.

    Yields, whenever some were done, what became of all so far; failed are those whose last try did. A file is left
    alone until nothing has changed it for SETTLED seconds and, on Linux, no process has it open for writing; one that
    fails is tried again when it changes. Stops when `ended` says so, which is asked before each look. Raises as
    `predict_folder` does, but not for an empty folder.
    """
    check_kinds(kinds)
    check_out([folder], out)
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder to watch")
    plan = make_plan(model, out, kinds=kinds, config=config, cutouts=cutouts, batch_size=batch_size)
    done: dict[str, _State] = {}
    errors: dict[str, str] = {}
    predicted = skipped = 0
    before: dict[str, _State] = {}
    while not ended():
        begun = time.monotonic()
        found: dict[str, _State] = {}
        ready: list[tuple[str, InputImage]] = []
        for image in walk_images(folder, include, exclude=[out], written=WRITTEN):
            name, state = image.relative.as_posix(), _state(image.path)
            if state is None:
                continue
            found[name] = state
            if before.get(name) == state != done.get(name) and _settled(image.path, state):
                ready.append((name, image))
        before = found
        done = {name: state for name, state in done.items() if name in found}
        if ready:
            images = [image for _, image in ready]
            photographs = Photographs(iter(images), None, len(images))
            summary = predict_photographs(model, photographs, plan, report=report)
            done.update((name, found[name]) for name, _ in ready)
            errors = {name: reason for name, reason in errors.items() if name not in dict(ready)}
            errors.update(summary.errors)
            predicted, skipped = predicted + summary.predicted, skipped + summary.skipped
            yield FolderSummary(len(done), predicted, skipped, tuple(errors.items()))
        else:
            time.sleep(max(POLL, time.monotonic() - begun))


def _state(path: Path) -> _State | None:
    try:
        found = path.stat()
    except OSError:
        # Taken away since the folder was read, or a link that leads nowhere yet.
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def _settled(path: Path, state: _State) -> bool:
    # Clocks may differ on a shared file system: a file from the future has settled as well, having been seen twice.
    return abs(time.time() - state[1] / 1e9) >= SETTLED and not _being_written(path)


def _being_written(path: Path) -> bool:
    """Whether a process has a file open for writing, as far as the system tells."""
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        # Predicting it gives the error that names it.
        return False
    try:
        # A lease for reading is granted only where nobody writes.
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        # Somebody else's file, or a file system without leases.
        return False
    finally:
        os.close(descriptor)
    return False
