"""Sets of shards: synthetic ones and pseudo-labelled photographs."""

from __future__ import annotations

import shlex
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from diffusionseg.data import (
    AT_ONCE,
    ShardError,
    Store,
    checked_shard,
    claim_name,
    finished_shards,
    read_manifest,
    read_sidecar,
    shard_name,
    sidecar_name,
)
from diffusionseg.status.standing import Standing, rate

FLAGS = ("steps", "solver", "guidance", "image_size", "reread_noises", "attempts", "call_size")
"""Entries of a set's configuration that are options of `synth` under the same name."""
LIMITS = ("max_border", "min_area", "max_area", "min_agreement")
"""Limits of a set's quality gate that are options of `synth` under the same name."""
CLASS_FILE = "FILE-WITH-A-CLASS-NAME-A-LINE"
"""What stands in a command for the file that names with commas came from."""
MOST_SHARDS = 1_000_000
"""Shards whose numbers have six digits."""


def set_status(store: Store, *, verify: bool = False) -> Standing:
    """How far a set is; `verify` also compares every shard with its checksum."""
    manifest = read_manifest(store)
    described = manifest.get("set", {})
    pseudo = manifest.get("kind") == "pseudolabels"
    try:
        places = int(described["sources"]["photographs"] if pseudo else described["count"])
        shards = range(-(-places // int(described["shard_size"])))
        resume = "the same `diffusionseg pseudolabel` command again" if pseudo else synth_command(store, described)
        if len(shards) > MOST_SHARDS:
            raise ValueError(f"{len(shards)} shards are too many")
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ValueError(
            f"{store.address('manifest.json')}: does not say how large the set is to be ({error})"
        ) from error
    names = set(store.names())
    done = [shard for shard in finished_shards(store) if shard in shards]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = list(pool.map(partial(_told, store, verify), done))
        written = list(pool.map(store.modified, map(sidecar_name, done)))
    failed = tuple(one for one in told if isinstance(one, str))
    rejects: Counter[str] = Counter()
    samples = 0
    for one in told:
        if not isinstance(one, str):
            samples += one[0]
            rejects.update(one[1])
    whole = len(done) == len(shards) and "result" in manifest and not failed
    return Standing(
        folder=str(store),
        kind="pseudo-labelled set" if pseudo else "synthetic set",
        unit="shards",
        done=len(done),
        total=len(shards),
        in_hand=sum(claim_name(shard_name(shard)) in names for shard in set(shards) - set(done)),
        per_minute=rate(written, store.modified("manifest.json")),
        samples=samples,
        rejects=dict(sorted(rejects.items())),
        failed=failed,
        resume=None if whole else resume,
    )


def _told(store: Store, verify: bool, shard: int) -> tuple[int, dict[str, int]] | str:
    """Pairs and rejected images of a finished shard, or what is wrong with it."""
    try:
        sidecar = read_sidecar(store, shard)
        if verify:
            with checked_shard(store, shard, verify=True):
                pass
        return int(sidecar["samples"]), dict(sidecar["rejects"])
    except (ShardError, OSError) as error:
        return str(error)
    except (KeyError, TypeError, ValueError) as error:
        return f"{store.address(sidecar_name(shard))}: is not what a set's sidecar holds ({error!r})"


def synth_command(store: Store, described: dict[str, Any]) -> str:
    """The command that goes on with a synthetic set, as far as `synth` has options for what it was made with.

    Names with commas are read from a file alone, which is called `CLASS_FILE` here.
    """
    config = described.get("config", {})
    words = ["diffusionseg", "synth", "--model", described["backbone"]["name"]]
    several = ",".join(described["classes"])
    words += ["--classes", several if several.count(",") < len(described["classes"]) else f"@{CLASS_FILE}"]
    for name in ("count", "seed", "shard_size"):
        words += [f"--{name.replace('_', '-')}", str(described[name])]
    for name in FLAGS:
        if config.get(name) is not None:
            words += [f"--{name.replace('_', '-')}", str(config[name])]
    for template in config.get("templates", ()):
        words += ["--template", template]
    for name in LIMITS:
        if name in config.get("gate", {}):
            words += [f"--{name.replace('_', '-')}", str(config["gate"][name])]
    words += ["--device", described["device_type"], "--dtype", described["dtype"], "--out", str(store)]
    return shlex.join(words)
