"""Units one after the other in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from diffusionseg.engine.backlog import Backlog
from diffusionseg.engine.contract import Busy, MakeWorker, Share, outcome, usable_cores


def run_local(make_worker: MakeWorker, backlog: Backlog, heard: Callable[[Any], None]) -> Iterator[tuple[Any, Any]]:
    """Yield (unit, result or Failure) in order."""
    worker = make_worker(Share(0, 1, usable_cores(), heard))
    while backlog:
        unit = backlog.take()
        result = outcome(worker, unit)
        if isinstance(result, Busy):
            backlog.put_back(unit)
        else:
            yield unit, result
