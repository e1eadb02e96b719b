"""What engines and workers agree on."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Share:
    """What one worker may use, and how it tells of progress within a unit."""

    number: int
    """This worker, from 0; one that replaces a lost worker keeps its number."""
    workers: int
    """Workers of the run."""
    cores: int
    """Processor cores that this worker may use, at least 1."""
    tell: Callable[[Any], None]
    """Hand a small value to whoever runs the engine; it may arrive late and, when a unit is tried again, twice."""


Worker = Callable[[Any], Any]
"""Unit → result. Holds what is costly to make, such as a loaded model."""
MakeWorker = Callable[[Share], Worker]
"""Makes a worker, in the process that it works in: a function of a module, or `functools.partial` of one."""


class Busy(Exception):
    """Raised by a worker whose unit somebody else has in hand: the unit is asked for again after the others."""


class WorkerLost(RuntimeError):
    """A worker ended without an answer: killed, out of memory, or its machine gone."""


@dataclass(frozen=True)
class Failure:
    """A unit that has no result."""

    error: Exception
    """Why: what the worker raised, or WorkerLost."""

    def __str__(self) -> str:
        return f"{type(self.error).__name__}: {self.error}"


def outcome(worker: Worker, unit: Any) -> Any:
    """What a unit came to: its result, a Failure, or Busy; the same in every engine."""
    try:
        return worker(unit)
    except Busy as busy:
        return busy
    except Exception as error:
        return Failure(portable(error))


def portable(error: Exception) -> Exception:
    """The error itself, or its text where it would not survive the way to another process."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
