"""Synthetic sets in the making: one at a time, a few waiting, the last results kept in memory."""

from __future__ import annotations

import secrets
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from diffusionseg.synthesis import Filled, SynthesisConfig, synthesize_set
from diffusionseg.web.body import Refused
from diffusionseg.web.models import LoadedModel
from diffusionseg.web.photos import archive

WAITING = 8
"""Sets that may wait or be made at once."""
KEPT = 16
"""Sets that are remembered after their end, the latest ones."""
KEPT_BYTES = 512 * 2**20
"""Bytes of their results together; the oldest are forgotten first."""


class Stopped(Exception):
    """A set that was cancelled or took too long."""


@dataclass(frozen=True)
class SetRequest:
    """What a set is to hold."""

    model: LoadedModel
    """Whose generator draws."""
    class_names: tuple[str, ...]
    """Classes, which places take in turn."""
    count: int
    """Places."""
    seed: int
    """Seed of all randomness."""
    config: SynthesisConfig
    """How a pair is made."""


@dataclass
class Job:
    """A set that was asked for."""

    request: SetRequest
    """What was asked for."""
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    """Cannot be guessed: whoever knows it may see, cancel and fetch the set."""
    state: Literal["waiting", "running", "done", "failed", "cancelled"] = "waiting"
    """Where it stands."""
    done: int = 0
    """Places dealt with."""
    rejects: Counter[str] = field(default_factory=Counter)
    """Rejected images by reason."""
    samples: int | None = None
    """Pairs, once it is done."""
    error: str | None = None
    """Why it failed."""
    result: bytes | None = None
    """Zip archive of the set's folder, once it is done."""
    stop: bool = False
    """Whether it was cancelled; it ends after the place in hand."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state not in ("waiting", "running")

    def told(self) -> dict[str, Any]:
        """What a client may know."""
        return {
            "id": self.id,
            "state": self.state,
            "done": self.done,
            "total": self.request.count,
            "rejects": dict(self.rejects),
            "samples": self.samples,
            "error": self.error,
        }


class Jobs:
    """All sets, by id."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, "synth")

    def add(self, request: SetRequest) -> Job:
        """Begin a set as soon as those before it have ended. Raises Refused (429) where too many wait."""
        with self._lock:
            if sum(not job.ended for job in self._jobs.values()) >= WAITING:
                raise Refused(429, f"{WAITING} sets are being made or wait; try again later")
            job = Job(request)
            self._jobs[job.id] = job
        self._pool.submit(self._make, job)
        return job

    def get(self, name: str) -> Job:
        """A set by its id. Raises Refused (404)."""
        job = self._jobs.get(name)
        if job is None:
            raise Refused(404, "there is no such set; it may have been forgotten")
        return job

    def cancel(self, name: str) -> Job:
        """End a set, at once while it waits, else after the place in hand; forget its result."""
        job = self.get(name)
        with self._lock:
            job.stop = True
            if job.state in ("waiting", "done"):
                job.state, job.result = "cancelled", None
        return job

    def close(self) -> None:
        """End everything."""
        for name in list(self._jobs):
            self.cancel(name)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _make(self, job: Job) -> None:
        with self._lock:
            if job.stop:
                return
            job.state = "running"
        latest = time.monotonic() + self._timeout

        def report(filled: Filled) -> None:
            job.done += 1
            job.rejects.update(filled.rejects)
            if job.stop:
                raise Stopped
            if time.monotonic() > latest:
                raise Stopped(f"took longer than {self._timeout:g} seconds")

        try:
            job.samples, result = make_set(job.request, report)
        except Exception as error:
            job.error = None if job.stop else str(error) or type(error).__name__
            self._end(job, "cancelled" if job.stop else "failed")
        else:
            self._end(job, "cancelled" if job.stop else "done", None if job.stop else result)

    def _end(self, job: Job, state: Literal["done", "failed", "cancelled"], result: bytes | None = None) -> None:
        with self._lock:
            job.result, job.state = result, state
            ended = [other for other in self._jobs.values() if other.ended]
            while len(ended) > KEPT or sum(len(other.result or b"") for other in ended[:-1]) > KEPT_BYTES:
                del self._jobs[ended.pop(0).id]


def make_set(request: SetRequest, report: Callable[[Filled], None]) -> tuple[int, bytes]:
    """Make a set as `diffusionseg synth` would; the number of its pairs and its folder as a zip archive."""
    with tempfile.TemporaryDirectory(prefix="diffusionseg-set-") as folder:
        backbone, names = request.model.drawing_generator(), request.class_names
        summary = synthesize_set(
            backbone,
            names,
            Path(folder),
            count=request.count,
            seed=request.seed,
            config=request.config,
            report=report,
        )
        return summary.samples, archive(files_in(Path(folder)))


def files_in(folder: Path) -> dict[str, bytes]:
    """Files of a folder and those below it, by their path from there."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def check_request(model: LoadedModel, names: Sequence[str], config: SynthesisConfig) -> None:
    """Raise Refused (422) for a class that the generator cannot draw."""
    try:
        model.check_classes(names, config)
    except ValueError as error:
        raise Refused(422, str(error)) from error
