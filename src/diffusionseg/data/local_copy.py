"""Copies of sets that lie in object stores, for training, which reads every pair many times."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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


def local_copy(store: Store, cache: Path | None) -> Store:
    """A set's finished shards in a folder of this machine: the set itself, or a copy of it in a folder below `cache`.

    A copy is kept, and only what is new or other in the set is fetched again. Raises ShardError for a damaged shard and
    where a copy is needed and `cache` is None.
    """
    if store.local is not None:
        return store
    if cache is None:
        raise ShardError(f"{store}: does not lie on this machine; name a folder for its copy with `cache`")
    copy = FolderStore(cache / hashlib.sha256(str(store).encode()).hexdigest()[:16])
    shards = list_shards(store)
    have = finished_shards(copy)
    for gone in set(have) - set(shards):
        copy.remove(sidecar_name(gone))
        copy.remove(shard_name(gone))

    def fetch(number: int) -> None:
        shard, sidecar = shard_name(number), read_sidecar(store, number)
        if number in have and copy.read(sidecar_name(number)) == json_bytes(sidecar):
            return
        content = store.read(shard)
        compare_checksum(store.address(shard), hashlib.sha256(content).hexdigest(), sidecar)
        copy.remove(sidecar_name(number))
        copy.write(shard, content)
        copy.write(sidecar_name(number), json_bytes(sidecar))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(fetch, shards))
    return copy
