"""`--log FILE.jsonl`: what happens in a run, one JSON object a line, for `tail -f` and for programs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from diffusionseg import __version__

EVERY = 5.0
"""Seconds between two lines of progress, at least."""


class RunLog:
    """Writes the lines of one run; without a file, none."""

    def __init__(self, file: IO[bytes] | None) -> None:
        self._file = file
        self._stage: str | None = None
        self._begun, self._before, self._next = 0.0, 0, 0.0
        self.summary: dict[str, Any] = {}
        """What the last line is to say of a run that was not broken off."""

    def write(self, event: str, **values: Any) -> None:
        """Add a line; it can be read at once."""
        if self._file is None:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "event": event, **values}, default=str) + "\n"
        # A disk that fills up on the way is no reason to end the run: it may be another than that of the results.
        with suppress(OSError):
            self._file.write(line.encode())

    def start(self, verb: str, options: Mapping[str, Any], **settings: Any) -> None:
        """Add the first line: a verb's options as given or by default, and what became of them."""
        self.write("start", verb=verb, version=__version__, options=dict(options), **settings)

    def progress(
        self,
        done: int,
        total: int | None,
        values: Mapping[str, Any] | None = None,
        *,
        skipped: int = 0,
        stage: str = "",
    ) -> None:
        """Add a line about `done` units of `total`, `skipped` of them done before, unless there was one just now.

        The rate is that since the first call for a stage.
        """
        now, made = time.monotonic(), done - skipped
        if stage != self._stage:
            self._stage, self._begun, self._before, self._next = stage, now, made, now
        if now < self._next:
            return
        self._next = now + EVERY
        rate = (made - self._before) / (now - self._begun) if made > self._before else None
        left = None if total is None or rate is None else round((total - done) / rate, 1)
        named = {"stage": stage} if stage else {}
        shown = None if rate is None else round(rate, 4)
        self.write("progress", **named, done=done, total=total, rate=shown, seconds_left=left, **(values or {}))


@contextmanager
def run_log(path: Path | None) -> Iterator[RunLog]:
    """The log of a run, up to a last line whatever ends it; lines are added to a file that is there.

    Within it SIGTERM ends a run as Ctrl-C does. Raises ValueError for a file that cannot be written.
    """
    from diffusionseg.engine import sigterm_interrupts

    with sigterm_interrupts(), _opened(path) as file:
        log = RunLog(file)
        try:
            yield log
        except BaseException as error:
            broken_off = isinstance(error, KeyboardInterrupt)
            status = "failed" if not broken_off else "interrupted" if type(error) is KeyboardInterrupt else "terminated"
            log.write("end", status=status, error=str(error) or type(error).__name__)
            raise
        log.write("end", status="done", **log.summary)


@contextmanager
def _opened(path: Path | None) -> Iterator[IO[bytes] | None]:
    if path is None:
        yield None
        return
    try:
        # Unbuffered: a line is in the file once it is written.
        file = path.open("ab+", buffering=0)
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                # Half a line, which a killed run left.
                file.write(b"\n")
    except OSError as error:
        raise ValueError(f"--log {path}: {error.strerror or error}") from error
    with file:
        yield file
