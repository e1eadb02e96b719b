"""Write a synthetic set, shard by shard, resuming where an earlier run ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from diffusionseg.backbone import Backbone
from diffusionseg.data import (
    ManifestMismatch,
    Store,
    Where,
    check_manifest,
    claim_name,
    finished_shards,
    holds_shards,
    open_store,
    read_manifest,
    read_sidecars,
    remove_set,
    shard_name,
    write_manifest,
)
from diffusionseg.engine import LOCAL, Engine, Failure, check_engine, run_units
from diffusionseg.synthesis.config import SynthesisConfig
from diffusionseg.synthesis.plan import SetPlan, comparable
from diffusionseg.synthesis.preview import write_preview
from diffusionseg.synthesis.sampling import check_request
from diffusionseg.synthesis.shard_work import Filled, loading_worker, shared_worker

Report = Callable[[Filled], None]
"""Called once for every place that was not there before."""


@dataclass(frozen=True)
class SetSummary:
    """What a set holds."""

    samples: int
    """Accepted pairs."""
    places: int
    """Places of the set; those without an accepted pair are empty."""
    rejects: dict[str, int]
    """Rejected images by reason."""
    made: int
    """Places filled by this run; the rest was there before."""
    failures: tuple[str, ...] = ()
    """Name of each shard that could not be made, and why. The same run again makes it."""


def synthesize_set(
    backbone: Backbone,
    class_names: Sequence[str],
    out: Where,
    *,
    count: int,
    seed: int = 0,
    config: SynthesisConfig | None = None,
    batch_size: int | None = None,
    shard_size: int = 64,
    overwrite: bool = False,
    engine: Engine = LOCAL,
    max_failures: int = 0,
    report: Report = lambda _: None,
    ended: Callable[[str, str | None], None] = lambda *_: None,
) -> SetSummary:
    """Make `count` places of the classes in turn and write them to `out`, a folder or fsspec URL, as WebDataset shards.

    Finished shards are kept, unless `overwrite`; several runs may fill one set at the same time. The bytes do not
    depend on `engine`, of which each worker but the local one loads the generator by its name. A shard that cannot be
    made counts as a failure; one more than `max_failures` ends the run with the last error. `ended` is called with the
    name of every shard that was made, and with that and the reason of one that failed. Raises ManifestMismatch, naming
    what differs, when `out` holds a set made with another seed, other classes, another configuration or another
    generator, or one begun with other versions of the libraries; ValueError for a request that the generator cannot
    fulfil or whose `out` the workers of `engine` cannot reach. Nothing is touched before these checks.
    """
    store = open_store(out)
    plan = SetPlan(store.absolute(), tuple(class_names), count, seed, config or SynthesisConfig(), shard_size)
    check_request(backbone, class_names, plan.config)
    check_engine(engine)
    if store.one_process and engine.kind != "local":
        raise ValueError(f"{store}: lies in the memory of one process; --engine {engine.kind} needs another --out")
    identity = _open_set(plan, plan.identity(backbone), store, overwrite)
    if engine.kind == "local":
        make_worker = shared_worker(backbone, plan, batch_size)
    else:
        make_worker = loading_worker(backbone, plan, batch_size)
    reported: set[int] = set()

    def heard(filled: Filled) -> None:
        # A shard whose worker was lost tells of its places once more.
        if filled.index not in reported:
            reported.add(filled.index)
            report(filled)

    made, failures = 0, []
    gpus = int(backbone.device.type == "cuda")
    with closing(run_units(engine, make_worker, plan.missing(), heard=heard, gpus=gpus)) as results:
        for shard, result in results:
            name = shard_name(shard)
            if not isinstance(result, Failure):
                made += result
                for index in plan.places(shard):
                    heard(Filled(index, ()))
                ended(name, None)
                continue
            ended(name, str(result))
            failures.append(f"{name}: {result}")
            if len(failures) > max_failures:
                raise result.error
    summary = _summarise(plan, made, failures)
    if not failures:
        _finish(plan, identity, summary)
    return summary


def finished_places(out: Where, count: int, shard_size: int) -> int:
    """Places of a set in `out` whose shards are already done."""
    done = set(finished_shards(out))
    starts = range(0, count, shard_size)
    return sum(min(shard_size, count - start) for n, start in enumerate(starts) if n in done)


def _open_set(plan: SetPlan, wanted: dict[str, Any], out: Store, overwrite: bool) -> dict[str, Any]:
    """The set's description, found with it or written. Raises ManifestMismatch for another set."""
    if overwrite:
        remove_set(out)
    if not out.has("manifest.json"):
        if holds_shards(out):
            raise ManifestMismatch(f"{out}: holds shards but no manifest.json; choose another --out, or --overwrite")
        write_manifest(out, wanted, replace=False)
    existing = read_manifest(out)
    check_manifest(comparable(existing.get("set", {})), comparable(wanted["set"]), out)
    if plan.missing():
        check_manifest(existing.get("made_with", {}), wanted["made_with"], out)
    return {**wanted, "made_with": existing.get("made_with", {})}


def _finish(plan: SetPlan, identity: dict[str, Any], summary: SetSummary) -> None:
    result = {key: value for key, value in asdict(summary).items() if key not in ("made", "failures")}
    write_manifest(plan.out, {**identity, "result": result})
    write_preview(plan.out)
    for name in ("manifest.json", "preview.png"):
        plan.out.remove_leftovers(name)
    # Of workers that were killed between the last file and the end of their claim.
    for claim in {claim_name(shard_name(shard)) for shard in plan.shards} & set(plan.out.names()):
        plan.out.remove(claim)


def _summarise(plan: SetPlan, made: int, failures: Sequence[str]) -> SetSummary:
    sidecars = read_sidecars(plan.out, [shard for shard in finished_shards(plan.out) if shard in plan.shards])
    rejects: Counter[str] = Counter()
    for sidecar in sidecars:
        rejects.update(sidecar["rejects"])
    samples = sum(sidecar["samples"] for sidecar in sidecars)
    return SetSummary(samples, plan.count, dict(sorted(rejects.items())), made, tuple(failures))
