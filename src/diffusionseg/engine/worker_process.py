"""What runs in a worker's own process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from diffusionseg.engine.contract import Share, outcome, portable


@dataclass(frozen=True)
class Ready:
    """The worker is made."""


@dataclass(frozen=True)
class Unmade:
    """The worker cannot be made."""

    error: Exception


@dataclass(frozen=True)
class Told:
    """A value told from within a unit."""

    value: Any


def work(connection: Connection, number: int, workers: int, cores: int) -> None:
    """Make a worker as the first message says, then answer units until there are no more."""
    # Ctrl-C reaches the whole group of processes; what becomes of the workers is for their parent to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Before the first message, which loads torch.
    os.environ["OMP_NUM_THREADS"] = str(cores)
    try:
        worker = connection.recv()(Share(number, workers, cores, lambda value: connection.send(Told(value))))
    except Exception as error:
        connection.send(Unmade(portable(error)))
        return
    connection.send(Ready())
    while True:
        try:
            unit = connection.recv()
        except EOFError:
            return
        connection.send(outcome(worker, unit))


def _leave(signum: int, _: Any) -> None:
    # Unwinds, so that a file half written is removed.
    raise SystemExit(128 + signum)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
