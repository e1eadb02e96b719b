"""Copies of sets that lie in object stores, for training, which reads every pair many times."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from diffusionseg.data.folder_store import FolderStore
from diffusionseg.data.json_files import json_bytes
from diffusionseg.data.samples import ShardError
from diffusionseg.data.shards import (
    AT_ONCE,
    compare_checksum,
    finished_shards,
    list_shards,
    read_sidecar,
    shard_name,
    sidecar_name,
)
from diffusionseg.data.store import Store

LOOK_AGAIN = 0.2
"""Seconds between looks at a shard that another process is copying."""


def local_copy(store: Store, cache: Path | None) -> Store:
    """A set's finished shards in a folder of this machine: the set itself, or a copy of it in a folder below `cache`.

    A copy is kept, and only what is new or other in the set is fetched again. Of several processes that want the same
    copy one fetches a shard and the others wait for it. Raises ShardError for a damaged shard and where a copy is
    needed and `cache` is None.
    """
    if store.local is not None:
        return store
    if cache is None:
        raise ShardError(f"{store}: does not lie on this machine; name a folder for its copy with `cache`")
    copy = FolderStore(cache / hashlib.sha256(str(store).encode()).hexdigest()[:16])
    # Before the set's: what another process copies after this is not taken for something that the set has lost.
    have = finished_shards(copy)
    shards = list_shards(store)
    for gone in set(have) - set(shards):
        copy.remove(sidecar_name(gone))
        copy.remove(shard_name(gone))

    def fetch(number: int) -> None:
        sidecar = read_sidecar(store, number)
        while not _copied(copy, number, sidecar):
            with copy.claimed(shard_name(number)) as mine:
                if mine:
                    _fetch(store, copy, number, sidecar)
                else:
                    time.sleep(LOOK_AGAIN)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(fetch, shards))
    return _Copy(copy.local, shards)


class _Copy(FolderStore):
    """A copy, of which only the shards that the set was found to have are seen, and all of them: to open one that was
    removed since is an error instead of a smaller set."""

    def __init__(self, folder: Path, shards: list[int]) -> None:
        super().__init__(folder)
        self._names = sorted(name for number in shards for name in (shard_name(number), sidecar_name(number)))

    def names(self) -> list[str]:
        """Names of the shards and their sidecars."""
        return self._names


def _copied(copy: Store, number: int, sidecar: dict[str, Any]) -> bool:
    """Whether a shard is complete in the copy and the one that the set's sidecar tells of."""
    try:
        return copy.has(shard_name(number)) and copy.read(sidecar_name(number)) == json_bytes(sidecar)
    except FileNotFoundError:
        return False


def _fetch(store: Store, copy: Store, number: int, sidecar: dict[str, Any]) -> None:
    """Copy a shard, unless another process did before this one got its claim."""
    if _copied(copy, number, sidecar):
        return
    shard = shard_name(number)
    content = store.read(shard)
    compare_checksum(store.address(shard), hashlib.sha256(content).hexdigest(), sidecar)
    # Copied meanwhile only where this process slept longer than its claim held; others may read it already.
    if not _copied(copy, number, sidecar):
        copy.remove(sidecar_name(number))
        copy.write(shard, content)
        copy.write(sidecar_name(number), json_bytes(sidecar))
