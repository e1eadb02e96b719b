"""Sets of shards: synthetic ones and pseudo-labelled photographs."""

from __future__ import annotations

import hashlib
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

from diffusionseg.data import ShardError, claim_path, read_manifest, read_sidecar, shard_done, shard_path
from diffusionseg.status.standing import Standing, rate

FLAGS = ("steps", "guidance", "image_size", "attempts", "call_size")
"""Entries of a set's configuration that are options of `synth` under the same name."""
MOST_SHARDS = 1_000_000
"""Shards whose numbers have six digits."""


def set_status(folder: Path, *, verify: bool = False) -> Standing:
    """How far a set is; `verify` also compares every shard with its checksum."""
    manifest = read_manifest(folder)
    described = manifest.get("set", {})
    pseudo = manifest.get("kind") == "pseudolabels"
    try:
        places = int(described["sources"]["photographs"] if pseudo else described["count"])
        shards = range(-(-places // int(described["shard_size"])))
        resume = "the same `diffusionseg pseudolabel` command again" if pseudo else synth_command(folder, described)
        if len(shards) > MOST_SHARDS:
            raise ValueError(f"{len(shards)} shards are too many")
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"{folder}/manifest.json: does not say how large the set is to be ({error})") from error
    samples, rejects, failed = 0, Counter[str](), []
    done = [shard for shard in shards if shard_done(folder, shard)]
    for shard in done:
        path = shard_path(folder, shard)
        try:
            sidecar = read_sidecar(folder, shard)
            if verify and hashlib.sha256(path.read_bytes()).hexdigest() != sidecar.get("sha256"):
                raise ShardError(
                    f"{path}: does not match the checksum in its sidecar; delete both to have it made again"
                )
            samples += sidecar["samples"]
            rejects.update(sidecar["rejects"])
        except (ShardError, OSError, KeyError, TypeError) as error:
            failed.append(str(error))
    whole = len(done) == len(shards) and "result" in manifest and not failed
    return Standing(
        folder=str(folder),
        kind="pseudo-labelled set" if pseudo else "synthetic set",
        unit="shards",
        done=len(done),
        total=len(shards),
        in_hand=sum(claim_path(shard_path(folder, s)).exists() for s in set(shards) - set(done)),
        per_minute=rate([shard_path(folder, shard).with_suffix(".json") for shard in done], folder / "manifest.json"),
        samples=samples,
        rejects=dict(sorted(rejects.items())),
        failed=tuple(failed),
        resume=None if whole else resume,
    )


def synth_command(folder: Path, described: dict[str, Any]) -> str:
    """The command that goes on with a synthetic set, as far as `synth` has options for what it was made with."""
    config = described.get("config", {})
    words = ["diffusionseg", "synth", "--model", described["backbone"]["name"]]
    words += ["--classes", ",".join(described["classes"])]
    for name in ("count", "seed", "shard_size"):
        words += [f"--{name.replace('_', '-')}", str(described[name])]
    for name in FLAGS:
        if config.get(name) is not None:
            words += [f"--{name.replace('_', '-')}", str(config[name])]
    for template in config.get("templates", ()):
        words += ["--template", template]
    if "max_border" in config.get("gate", {}):
        words += ["--max-border", str(config["gate"]["max_border"])]
    words += ["--device", described["device_type"], "--dtype", described["dtype"], "--out", str(folder)]
    return shlex.join(words)
