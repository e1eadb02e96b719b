"""Fill the places of a synthetic set: several samples in flight, each independent of all the others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Lock

from diffusionseg.backbone import Backbone
from diffusionseg.backbone.threads import available_cores, side_by_side
from diffusionseg.memory import Room, give_back, ran_out
from diffusionseg.synthesis.config import SynthesisConfig
from diffusionseg.synthesis.gate import reject_reason
from diffusionseg.synthesis.pair import SyntheticPair
from diffusionseg.synthesis.prompts import assign_class
from diffusionseg.synthesis.sampling import check_request, draft, draw_group, make_pair


@dataclass
class Place:
    """One place of a synthetic set after all its attempts."""

    index: int
    """Place in the set, from 0."""
    pair: SyntheticPair | None = None
    """The accepted pair, or None where every attempt was rejected."""
    rejects: list[str] = field(default_factory=list)
    """Reason of each rejected attempt, in order."""


def synthesize(
    backbone: Backbone,
    class_names: Sequence[str],
    *,
    count: int,
    seed: int = 0,
    config: SynthesisConfig | None = None,
    batch_size: int | None = None,
) -> Iterator[SyntheticPair]:
    """Yield up to `count` image–mask pairs of the classes in turn, those that the quality gate lets pass.

    The same pairs come out bit for bit whatever `batch_size` (samples in flight) is. Raises ValueError for a class
    name that the generator's prompt cannot hold.
    """
    for place in fill_places(backbone, class_names, range(count), seed, config or SynthesisConfig(), batch_size):
        if place.pair is not None:
            yield place.pair


def fill_places(
    backbone: Backbone,
    class_names: Sequence[str],
    indices: range,
    seed: int,
    config: SynthesisConfig,
    batch_size: int | None = None,
    cores: int | None = None,
) -> Iterator[Place]:
    """Yield the places `indices` in order, with up to `batch_size` of them worked on at once.

    On a CPU each U-Net call runs on a single core and several calls run side by side, on `cores` cores or on all: sums
    then do not depend on their number, and small models get faster; memory grows with the cores, and `batch_size=1`
    keeps it to one call.
    Elsewhere calls run one after the other, and the images of one are cut while the next is drawn. Where memory runs
    out, half as many run side by side from then on. Raises OutOfMemory, saying what makes another set that needs less,
    where a single one is too many.
    """
    check_request(backbone, class_names, config)
    groups = deque(_call_groups(indices, config.call_size))
    on_cpu = backbone.device.type == "cpu"
    cores = cores or available_cores()
    in_flight = max(1, (batch_size or 2 * cores) // config.call_size)
    room = Room(min(in_flight, cores, len(groups)) if on_cpu else 1, "U-Net calls", _remedy(config))

    turn = nullcontext() if on_cpu else Lock()

    def fill(replica: Backbone, group: list[int]) -> list[Place]:
        return _fill_group(replica, class_names, group, seed, config, turn)

    while groups:
        calls = min(room.most, len(groups))
        try:
            workers = calls if on_cpu else calls + 1
            for places in _side_by_side(backbone, fill, groups.copy(), workers, in_flight, on_cpu):
                groups.popleft()
                yield from places
            return
        except Exception as error:
            if not ran_out(error):
                raise
        # What was in flight is made once more, and comes out the same.
        give_back()
        room.shrink(calls)


def _remedy(config: SynthesisConfig) -> str:
    smaller = f", or --call-size below {config.call_size}" if config.call_size > 1 else ""
    return (
        f"a smaller --image-size{smaller} makes another set that needs less, --dtype float16 one that needs half; "
        "or use another --device"
    )


def _side_by_side(
    backbone: Backbone,
    fill: Callable[[Backbone, list[int]], list[Place]],
    groups: Iterable[list[int]],
    workers: int,
    in_flight: int,
    on_cpu: bool,
) -> Iterator[list[Place]]:
    """The places of each group in order, `in_flight` groups begun at a time and `workers` worked on."""
    replicas: SimpleQueue[Backbone] = SimpleQueue()
    for _ in range(workers):
        replicas.put(backbone.replica())

    def work(group: list[int]) -> list[Place]:
        replica = replicas.get()
        try:
            return fill(replica, group)
        finally:
            replicas.put(replica)

    with side_by_side(workers, one_core_each=on_cpu) as pool:
        pending: deque[Future[list[Place]]] = deque()
        try:
            for group in groups:
                pending.append(pool.submit(work, group))
                if len(pending) >= in_flight:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _call_groups(indices: range, call_size: int) -> list[list[int]]:
    """Indices that share a U-Net call. Which ones do depends on the index alone, never on where a run began."""
    groups: dict[int, list[int]] = {}
    for index in indices:
        groups.setdefault(index // call_size, []).append(index)
    return list(groups.values())


def _fill_group(
    backbone: Backbone,
    class_names: Sequence[str],
    group: list[int],
    seed: int,
    config: SynthesisConfig,
    turn: AbstractContextManager[object],
) -> list[Place]:
    """All attempts at places that share a U-Net call; what the device does, it does in its `turn`."""
    places = {index: Place(index) for index in group}
    for attempt in range(config.attempts):
        open_places = [i for i, place in places.items() if place.pair is None]
        if not open_places:
            break
        drafts = [draft(seed, i, attempt, assign_class(i, class_names)) for i in open_places]
        with turn:
            prompts, images, maps = draw_group(backbone, drafts, config)
        for row, one in enumerate(drafts):
            pair = make_pair(one, prompts[row], images[row], maps, row, config)
            reason = reject_reason(pair.quality, config.gate)
            if reason is None:
                places[pair.index].pair = pair
            else:
                places[pair.index].rejects.append(reason)
    return list(places.values())
