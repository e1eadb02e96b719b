"""Write a synthetic set to a folder, shard by shard, resuming where an earlier run ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from diffusionseg.backbone import Backbone
from diffusionseg.data import (
    ManifestMismatch,
    check_manifest,
    claim_path,
    read_manifest,
    read_sidecar,
    remove_leftovers,
    shard_done,
    shard_path,
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
    """What a folder of shards holds."""

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
    out: Path,
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
    """Make `count` places of the classes in turn and write them to `out` as WebDataset shards.

    Finished shards are kept, unless `overwrite`; several runs may fill one folder at the same time. The bytes do not
    depend on `engine`, of which each worker but the local one loads the generator by its name. A shard that cannot be
    made counts as a failure; one more than `max_failures` ends the run with the last error. `ended` is called with the
    name of every shard that was made, and with that and the reason of one that failed. Raises ManifestMismatch, naming
    what differs, when `out` holds a set made with another seed, other classes, another configuration or another
    generator, or one begun with other versions of the libraries; ValueError for a request that the generator cannot
    fulfil. Nothing is touched before these checks.
    """
    plan = SetPlan(out.absolute(), tuple(class_names), count, seed, config or SynthesisConfig(), shard_size)
    check_request(backbone, class_names, plan.config)
    check_engine(engine)
    identity = _open_set(plan, plan.identity(backbone), out, overwrite)
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
            name = shard_path(out, shard).name
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


def finished_places(out: Path, count: int, shard_size: int) -> int:
    """Places of a set in `out` whose shards are already done."""
    starts = range(0, count, shard_size)
    return sum(min(shard_size, count - start) for n, start in enumerate(starts) if shard_done(out, n))


def _open_set(plan: SetPlan, wanted: dict[str, Any], out: Path, overwrite: bool) -> dict[str, Any]:
    """The set's description, found in its folder or written there. Raises ManifestMismatch for another set."""
    if overwrite:
        _remove_set(out)
    if not (out / "manifest.json").exists():
        if any(out.glob("shard-*.tar")):
            raise ManifestMismatch(f"{out}: holds shards but no manifest.json; choose another --out, or --overwrite")
        write_manifest(out, wanted, replace=False)
    existing = read_manifest(out)
    check_manifest(comparable(existing["set"]), comparable(wanted["set"]), out)
    if plan.missing():
        check_manifest(existing["made_with"], wanted["made_with"], out)
    return {**wanted, "made_with": existing["made_with"]}


def _finish(plan: SetPlan, identity: dict[str, Any], summary: SetSummary) -> None:
    result = {key: value for key, value in asdict(summary).items() if key not in ("made", "failures")}
    write_manifest(plan.out, {**identity, "result": result})
    write_preview(plan.out)
    for name in ("manifest.json", "preview.png"):
        remove_leftovers(plan.out / name)
    for shard in plan.shards:
        # Of a worker that was killed between the last file and the end of its claim.
        claim_path(shard_path(plan.out, shard)).unlink(missing_ok=True)


def _summarise(plan: SetPlan, made: int, failures: Sequence[str]) -> SetSummary:
    sidecars = [read_sidecar(plan.out, shard) for shard in plan.shards if shard_done(plan.out, shard)]
    rejects: Counter[str] = Counter()
    for sidecar in sidecars:
        rejects.update(sidecar["rejects"])
    samples = sum(sidecar["samples"] for sidecar in sidecars)
    return SetSummary(samples, plan.count, dict(sorted(rejects.items())), made, tuple(failures))


def _remove_set(out: Path) -> None:
    for path in [*out.glob("shard-*.tar"), *out.glob("shard-*.json"), out / "manifest.json", out / "preview.png"]:
        path.unlink(missing_ok=True)
