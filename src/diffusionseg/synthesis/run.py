"""Write a synthetic set to a folder, shard by shard, resuming where an earlier run ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from diffusionseg.backbone import Backbone
from diffusionseg.data import (
    ManifestMismatch,
    Sample,
    check_manifest,
    read_manifest,
    read_sidecar,
    remove_leftovers,
    shard_done,
    write_manifest,
    write_shard,
)
from diffusionseg.synthesis.config import SynthesisConfig
from diffusionseg.synthesis.places import Place, fill_places
from diffusionseg.synthesis.preview import write_preview
from diffusionseg.synthesis.sampling import check_request

Report = Callable[[Place], None]
"""Called after every place, accepted or not."""


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
    report: Report = lambda _: None,
) -> SetSummary:
    """Make `count` places of the classes in turn and write them to `out` as WebDataset shards.

    Finished shards are kept, unless `overwrite`. Raises ManifestMismatch, naming what differs, when `out` holds a set
    made with another seed, other classes, another configuration or another generator, or one begun with other versions
    of the libraries; ValueError for a request that the generator cannot fulfil. Nothing is touched before these checks.
    """
    config = config or SynthesisConfig()
    check_request(backbone, class_names, config)
    wanted = _identity(backbone, class_names, count, seed, shard_size, config)
    shards = range(0, count, shard_size)
    if overwrite:
        _remove_set(out)
    if (out / "manifest.json").exists():
        existing = read_manifest(out)
        check_manifest(_comparable(existing["set"]), _comparable(wanted["set"]), out)
        if not all(shard_done(out, number) for number in range(len(shards))):
            check_manifest(existing["made_with"], wanted["made_with"], out)
        wanted = {**wanted, "made_with": existing["made_with"]}
    elif any(out.glob("shard-*.tar")):
        raise ManifestMismatch(f"{out}: holds shards but no manifest.json; choose another --out, or --overwrite")
    else:
        write_manifest(out, wanted)
    made = 0
    for number, start in enumerate(shards):
        if shard_done(out, number):
            continue
        indices = range(start, min(start + shard_size, count))
        places = []
        for place in fill_places(backbone, class_names, indices, seed, config, batch_size):
            report(place)
            places.append(place)
        made += len(places)
        _write(out, number, places)
    summary = _summarise(out, len(shards), count, made)
    write_manifest(out, {**wanted, "result": _result(summary)})
    write_preview(out)
    for name in ("manifest.json", "preview.png"):
        remove_leftovers(out / name)
    return summary


def finished_places(out: Path, count: int, shard_size: int) -> int:
    """Places of a set in `out` whose shards are already done."""
    starts = range(0, count, shard_size)
    return sum(min(shard_size, count - start) for n, start in enumerate(starts) if shard_done(out, n))


def _identity(
    backbone: Backbone, names: Sequence[str], count: int, seed: int, shard_size: int, config: SynthesisConfig
) -> dict[str, Any]:
    """What a set is (`set`, compared on resume) and what made it (`made_with`, for the record)."""
    return {
        "format": 1,
        "set": {
            "backbone": {"name": backbone.name, "fingerprint": backbone.fingerprint},
            "classes": list(names),
            "count": count,
            "seed": seed,
            "shard_size": shard_size,
            "device_type": backbone.device.type,
            "dtype": str(backbone.dtype).removeprefix("torch."),
            "config": asdict(config),
        },
        "made_with": {
            name: version(name) for name in ("diffusionseg", "torch", "diffusers", "numpy", "scipy", "pillow")
        },
    }


def _comparable(described: dict[str, Any]) -> dict[str, Any]:
    """A set's description without the generator's name: the fingerprint says which one it is, wherever it lies."""
    return {**described, "backbone": {"fingerprint": described["backbone"]["fingerprint"]}}


def _write(out: Path, number: int, places: Sequence[Place]) -> None:
    samples = [Sample(p.index, p.pair.encoded(), p.pair.meta()) for p in places if p.pair is not None]
    rejects = Counter(reason for place in places for reason in place.rejects)
    empty = [place.index for place in places if place.pair is None]
    write_shard(out, number, samples, {"places": len(places), "empty_places": empty, "rejects": dict(rejects)})


def _summarise(out: Path, shards: int, count: int, made: int) -> SetSummary:
    sidecars = [read_sidecar(out, number) for number in range(shards)]
    rejects: Counter[str] = Counter()
    for sidecar in sidecars:
        rejects.update(sidecar["rejects"])
    return SetSummary(
        samples=sum(s["samples"] for s in sidecars), places=count, rejects=dict(sorted(rejects.items())), made=made
    )


def _result(summary: SetSummary) -> dict[str, Any]:
    return {key: value for key, value in asdict(summary).items() if key != "made"}


def _remove_set(out: Path) -> None:
    for path in [*out.glob("shard-*.tar"), *out.glob("shard-*.json"), out / "manifest.json", out / "preview.png"]:
        path.unlink(missing_ok=True)
