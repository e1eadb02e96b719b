"""Units on actors of a Ray cluster. Ray places and restarts the actors; a unit is never tied to one of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from diffusionseg.engine.backlog import Backlog
from diffusionseg.engine.contract import Busy, MakeWorker, Share, Worker, outcome, portable
from diffusionseg.engine.spec import Engine
from diffusionseg.engine.worker_process import Ready, Unmade


def run_on_ray(
    make_worker: MakeWorker, backlog: Backlog, engine: Engine, heard: Callable[[Any], None], gpus: int
) -> Iterator[tuple[Any, Any]]:
    """Yield (unit, result or Failure) as they come. Raises what `make_worker` raised.

    An actor has one core, or `gpus` and one core, and one unit in hand. It gets a unit only once it runs, so a cluster
    may grow and shrink meanwhile: actors that find no room, or lost their machine, hold nothing up.
    """
    ray = import_ray()
    with _cluster(ray, engine.address):
        count = engine.workers or _room(ray, gpus)
        # Ray restarts actors without end, but tells at once of a unit whose actor was lost: another one takes it.
        kind = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=-1, max_task_retries=0)(RayWorker)
        actors = [kind.remote(make_worker, number, count) for number in range(count)]
        try:
            yield from _run(ray, actors, backlog, heard)
        finally:
            for actor in actors:
                ray.kill(actor)


class RayWorker:
    """An actor that holds a worker."""

    def __init__(self, make_worker: MakeWorker, number: int, workers: int) -> None:
        self._told: list[Any] = []
        self._worker: Worker | Unmade
        try:
            self._worker = make_worker(Share(number, workers, 1, self._told.append))
        except Exception as error:
            self._worker = Unmade(portable(error))

    def state(self) -> Ready | Unmade:
        """Whether the worker is made."""
        return self._worker if isinstance(self._worker, Unmade) else Ready()

    def run(self, unit: Any) -> tuple[Any, list[Any]]:
        """What a unit came to, and what was told meanwhile."""
        self._told.clear()
        assert not isinstance(self._worker, Unmade)
        return outcome(self._worker, unit), list(self._told)


def _run(ray: Any, actors: list[Any], backlog: Backlog, heard: Callable[[Any], None]) -> Iterator[tuple[Any, Any]]:
    starting = {_state(actor): actor for actor in actors}
    working: dict[Any, tuple[Any, Any]] = {}
    idle: list[Any] = []
    while backlog or working:
        while idle and backlog:
            actor, unit = idle.pop(), backlog.take()
            working[actor.run.remote(unit)] = actor, unit
        (answer,), _ = ray.wait([*starting, *working], num_returns=1)
        if answer in starting:
            actor = starting.pop(answer)
            state = ray.get(answer)
            if isinstance(state, Unmade):
                raise state.error
            idle.append(actor)
            continue
        actor, unit = working.pop(answer)
        try:
            result, told = ray.get(answer)
        except ray.exceptions.RayError as error:
            starting[_state(actor)] = actor
            if failure := backlog.lost(unit, str(error).strip().partition("\n")[0]):
                yield unit, failure
            continue
        idle.append(actor)
        for value in told:
            heard(value)
        if isinstance(result, Busy):
            backlog.put_back(unit)
        else:
            yield unit, result


def _state(actor: Any) -> Any:
    """Answered once the actor runs, however often it has to be restarted before."""
    return actor.state.options(max_task_retries=-1).remote()


def _room(ray: Any, gpus: int) -> int:
    """Actors that the cluster has room for now, at least 1."""
    has = ray.cluster_resources()
    return max(1, int(has.get("GPU", 0) // gpus if gpus else has.get("CPU", 1)))


@contextmanager
def _cluster(ray: Any, address: str | None) -> Iterator[None]:
    """A connection to the cluster at `address`, or one on this machine; one that is already there is used and kept."""
    if ray.is_initialized():
        yield
        return
    # Nothing is sent anywhere unasked.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    on_sigterm = signal.getsignal(signal.SIGTERM)
    ray.init(address=address or "local", include_dashboard=None if address else False, log_to_driver=False)
    # Ray puts its own handler there, which would skip what follows the run.
    signal.signal(signal.SIGTERM, on_sigterm)
    try:
        yield
    finally:
        ray.shutdown()


def import_ray() -> Any:
    """The package of the extra `ray`. Raises ValueError saying how to install it."""
    try:
        import ray
    except ImportError as error:
        raise ValueError("--engine ray needs Ray: pip install 'diffusionseg[ray]'") from error
    return ray
