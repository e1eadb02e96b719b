"""The one door to all engines."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any

from diffusionseg.engine.backlog import Backlog
from diffusionseg.engine.contract import MakeWorker
from diffusionseg.engine.local import run_local
from diffusionseg.engine.processes import run_in_processes
from diffusionseg.engine.ray_engine import import_ray, run_on_ray
from diffusionseg.engine.spec import Engine


def check_engine(engine: Engine) -> None:
    """Raise ValueError, saying what to install, for an engine that cannot run here."""
    if engine.kind == "ray":
        import_ray()


def run_units(
    engine: Engine,
    make_worker: MakeWorker,
    units: Iterable[Any],
    *,
    heard: Callable[[Any], None] = lambda _: None,
    tries: int = 3,
    gpus: int = 0,
) -> Generator[tuple[Any, Any], None, None]:
    """Yield (unit, result or Failure) of every unit, each once, as they are done.

    Each of `units` is asked for when a worker is free for it. What a worker raises fails its unit alone. A unit over
    which a worker is lost goes to another one, up to `tries` times. `heard` gets what workers tell. `gpus` is what a
    worker needs of them on Ray. Raises what `make_worker` raises. Closing the iterator stops all workers; units in hand
    are then dropped.
    """
    backlog = Backlog(units, tries)
    if not backlog:
        return
    if engine.kind == "local":
        yield from run_local(make_worker, backlog, heard)
    elif engine.kind == "processes":
        yield from run_in_processes(make_worker, backlog, engine.workers or 1, heard)
    else:
        yield from run_on_ray(make_worker, backlog, engine, heard, gpus)
