"""The pairs of stored sets, each read when it is wanted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from diffusionseg.data.local_copy import local_copy
from diffusionseg.data.samples import Sample, ShardError
from diffusionseg.data.shards import (
    Place,
    checked_shard,
    list_shards,
    part_content,
    read_sidecar,
    sample_places,
    shard_name,
)
from diffusionseg.data.store import Store
from diffusionseg.data.where import Where, open_store

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Image (H, W, 3) and mask (H, W)."""


class StoredPairs(Sequence[Pair]):
    """Images (H, W, 3) and masks (H, W) of 0, 128 and 255 of finished sets, each read when it is indexed.

    Opening compares every shard with its checksum and keeps where each sample lies, some 200 bytes a pair. Sets in
    object stores are first copied to a folder below `cache`, where a later run finds them: training comes back to each
    pair many times, and all of it is read once for the checksums anyway. Raises ShardError as `read_shards` does,
    and ImageError for a damaged picture.
    """

    def __init__(self, sets: Where | Iterable[Where], cache: Path | None = None) -> None:
        if isinstance(sets, str | Path | Store):
            sets = [sets]
        self._samples: list[tuple[Store, int, int, dict[str, Place]]] = []
        digest = hashlib.sha256()
        for where in sets:
            store = local_copy(open_store(where), cache)
            for shard in list_shards(store):
                digest.update(str(read_sidecar(store, shard).get("sha256")).encode())
                with checked_shard(store, shard, verify=True) as file:
                    for index, places in sample_places(store.address(shard_name(shard)), file):
                        needed = {"jpg": places["jpg"], "mask.png": places["mask.png"]}
                        self._samples.append((store, shard, index, needed))
        self.sha256 = digest.hexdigest()
        """Over the checksums of all shards, in order."""

    def __len__(self) -> int:
        return len(self._samples)

    @overload
    def __getitem__(self, index: int) -> Pair: ...

    @overload
    def __getitem__(self, index: slice) -> list[Pair]: ...

    def __getitem__(self, index: int | slice) -> Pair | list[Pair]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        store, shard, number, places = self._samples[index]
        address = store.address(shard_name(shard))
        try:
            with store.open(shard_name(shard)) as file:
                files = {part: part_content(address, file, p) for part, p in places.items()}
        except OSError as error:
            raise ShardError(f"{address}: {error.strerror or error}") from error
        sample = Sample(number, files, {}, f"{address}: ")
        return sample.image_array(), sample.mask_array()
