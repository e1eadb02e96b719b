"""One shard of a synthetic set: the work that any engine hands to its workers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from diffusionseg.backbone import Backbone
from diffusionseg.data import Sample, Store, check_manifest, read_manifest, shard_done, shard_name, write_shard
from diffusionseg.engine import Busy, MakeWorker, Share
from diffusionseg.synthesis.places import Place, fill_places
from diffusionseg.synthesis.plan import SetPlan, comparable


@dataclass(frozen=True)
class Filled:
    """A place that was just dealt with."""

    index: int
    """Place in the set, from 0."""
    rejects: tuple[str, ...]
    """Reason of each rejected attempt, in order."""


def shared_worker(backbone: Backbone, plan: SetPlan, batch_size: int | None) -> MakeWorker:
    """Makes workers that use this very generator, in this process."""
    return lambda share: partial(fill_shard, backbone, plan, batch_size, share)


def loading_worker(backbone: Backbone, plan: SetPlan, batch_size: int | None) -> MakeWorker:
    """Makes workers that load the generator for themselves, wherever they are."""
    folder = Path(backbone.name).expanduser()
    # Workers may stand in another folder.
    model = str(folder.resolve()) if backbone.name != "mini" and folder.is_dir() else backbone.name
    return partial(_load, model, backbone.device.type, backbone.dtype_name, plan, batch_size)


def _load(
    model: str,
    device: str,
    dtype: str,
    plan: SetPlan,
    batch_size: int | None,
    share: Share,
) -> Callable[[int], int]:
    if device == "cuda":
        device = f"cuda:{share.number % max(1, torch.cuda.device_count())}"
    backbone = Backbone.from_pretrained(model, device=device, dtype=dtype)
    # Another machine may hold another model under the same name, or other versions of the libraries; and it must see
    # the same set.
    agreed, mine = read_manifest(plan.out), plan.identity(backbone)
    check_manifest(comparable(agreed.get("set", {})), comparable(mine["set"]), plan.out)
    check_manifest(agreed.get("made_with", {}), mine["made_with"], plan.out)
    return partial(fill_shard, backbone, plan, batch_size, share)


def fill_shard(backbone: Backbone, plan: SetPlan, batch_size: int | None, share: Share, shard: int) -> int:
    """Make a shard unless it is done; how many places were filled. Raises Busy while another process makes it."""
    with plan.out.claimed(shard_name(shard)) as mine:
        if not mine:
            time.sleep(0.5)
            raise Busy
        if shard_done(plan.out, shard):
            return 0
        places: list[Place] = []
        indices = plan.places(shard)
        for place in fill_places(
            backbone, plan.class_names, indices, plan.seed, plan.config, batch_size, cores=share.cores
        ):
            places.append(place)
            share.tell(Filled(place.index, tuple(place.rejects)))
        # Done meanwhile only where this process slept longer than its claim held; the bytes are the same.
        if not shard_done(plan.out, shard):
            _write(plan.out, shard, places)
        return len(places)


def _write(out: Store, shard: int, places: Sequence[Place]) -> None:
    samples = [Sample(p.index, p.pair.encoded(), p.pair.meta()) for p in places if p.pair is not None]
    rejects = Counter(reason for place in places for reason in place.rejects)
    empty = [place.index for place in places if place.pair is None]
    write_shard(out, shard, samples, {"places": len(places), "empty_places": empty, "rejects": dict(rejects)})
