"""Units shared out to processes of this machine. A worker that is lost is replaced, and its unit tried again.

Not `ProcessPoolExecutor`: there the death of one worker fails the units of all, and a busy worker cannot be stopped.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from diffusionseg.engine.backlog import Backlog
from diffusionseg.engine.contract import Busy, MakeWorker, WorkerLost, usable_cores
from diffusionseg.engine.worker_process import Ready, Told, Unmade, work

PATIENCE = 10.0
"""Seconds that a worker gets to leave when it is told to, before it is killed."""
_NOTHING = object()


def run_in_processes(
    make_worker: MakeWorker, backlog: Backlog, workers: int, heard: Callable[[Any], None]
) -> Iterator[tuple[Any, Any]]:
    """Yield (unit, result or Failure) as they come. Raises what `make_worker` raised, or WorkerLost where workers
    die before they are made."""
    slots = [_Slot(number, workers, make_worker) for number in range(workers)]
    stillborn = 0
    try:
        for slot in slots:
            slot.start()
        while backlog or any(slot.working for slot in slots):
            for slot in slots:
                if slot.idle and backlog:
                    slot.give(backlog.take())
            for slot in _heard_from(slots):
                try:
                    message = slot.connection.recv()
                except (EOFError, OSError):
                    unit, why = slot.unit, slot.bury()
                    slot.start()
                    if unit is _NOTHING:
                        stillborn += 1
                        if stillborn >= backlog.tries:
                            raise WorkerLost(f"worker {slot.number} ended before its first unit: {why}") from None
                    elif failure := backlog.lost(unit, why):
                        yield unit, failure
                    continue
                if isinstance(message, Told):
                    heard(message.value)
                elif isinstance(message, Unmade):
                    raise message.error
                elif isinstance(message, Ready):
                    slot.ready, stillborn = True, 0
                else:
                    unit, slot.unit = slot.unit, _NOTHING
                    if isinstance(message, Busy):
                        backlog.put_back(unit)
                    else:
                        yield unit, message
    finally:
        for slot in slots:
            slot.process.terminate()
        for slot in slots:
            slot.bury()


class _Slot:
    """A place for a worker: at any time one process, which has at most one unit in hand."""

    process: multiprocessing.process.BaseProcess
    connection: Connection

    def __init__(self, number: int, workers: int, make_worker: MakeWorker) -> None:
        self.number, self.workers, self.make_worker = number, workers, make_worker
        self.ready, self.unit = False, _NOTHING

    @property
    def working(self) -> bool:
        return self.unit is not _NOTHING

    @property
    def idle(self) -> bool:
        return self.ready and not self.working

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        cores = max(1, usable_cores() // self.workers)
        # A daemon, so that no way out of this process leaves it behind.
        self.process = context.Process(target=work, args=(theirs, self.number, self.workers, cores), daemon=True)
        self.process.start()
        theirs.close()
        self.ready, self.unit = False, _NOTHING
        self._send(self.make_worker)

    def give(self, unit: Any) -> None:
        self.unit = unit
        self._send(unit)

    def bury(self) -> str:
        """Wait for the end of a process that is ending; how it ended."""
        self.connection.close()
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        code = self.process.exitcode or 0
        return f"killed by signal {-code}" if code < 0 else f"exit status {code}"

    def _send(self, message: Any) -> None:
        # Where it is dead, reading from it tells how.
        with suppress(OSError):
            self.connection.send(message)


def _heard_from(slots: list[_Slot]) -> list[_Slot]:
    """Slots with a message or a dead worker, after waiting until there is one."""
    ready = wait([slot.connection for slot in slots])
    return [slot for slot in slots if slot.connection in ready]
