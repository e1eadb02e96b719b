"""A synthetic set as asked for, cut into shards."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from diffusionseg.backbone import Backbone
from diffusionseg.data import Store, finished_shards
from diffusionseg.synthesis.config import SynthesisConfig


@dataclass(frozen=True)
class SetPlan:
    """All that decides a set's bytes, apart from the generator, and where it is written."""

    out: Store
    """Where the set lies."""
    class_names: tuple[str, ...]
    """Classes, which places take in turn."""
    count: int
    """Places of the set."""
    seed: int
    """Seed of all randomness."""
    config: SynthesisConfig
    """How a pair is made."""
    shard_size: int
    """Places in one shard, the last one perhaps fewer."""

    @property
    def shards(self) -> range:
        """Numbers of all shards."""
        return range(-(-self.count // self.shard_size))

    def places(self, shard: int) -> range:
        """Indices of a shard's places."""
        return range(shard * self.shard_size, min((shard + 1) * self.shard_size, self.count))

    def missing(self) -> list[int]:
        """Shards that are not done yet."""
        done = set(finished_shards(self.out))
        return [shard for shard in self.shards if shard not in done]

    def identity(self, backbone: Backbone) -> dict[str, Any]:
        """What the set is (`set`, compared on resume) and what makes it here (`made_with`)."""
        return {
            "format": 1,
            "set": {
                "backbone": {"name": backbone.name, "fingerprint": backbone.fingerprint},
                "classes": list(self.class_names),
                "count": self.count,
                "seed": self.seed,
                "shard_size": self.shard_size,
                "device_type": backbone.device.type,
                "dtype": backbone.dtype_name,
                "config": asdict(self.config),
            },
            "made_with": {
                name: version(name) for name in ("diffusionseg", "torch", "diffusers", "numpy", "scipy", "pillow")
            },
        }


def comparable(described: dict[str, Any]) -> dict[str, Any]:
    """A set's description without the generator's name: the fingerprint says which one it is, wherever it lies."""
    backbone = described.get("backbone")
    return {
        **described,
        "backbone": {"fingerprint": backbone.get("fingerprint") if isinstance(backbone, dict) else None},
    }
