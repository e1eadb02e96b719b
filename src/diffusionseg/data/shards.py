"""Shards of synthetic sets: WebDataset tar archives, each with a sidecar that says it is done."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

from diffusionseg.data.json_files import encoded, json_bytes
from diffusionseg.data.samples import Sample, ShardError
from diffusionseg.data.store import Store
from diffusionseg.data.tar_members import tar_members
from diffusionseg.data.where import Where, open_store

PARTS = ("jpg", "mask.png", "attention.png", "json")
"""Files of one sample, in this order."""
REQUIRED = frozenset({"jpg", "mask.png", "json"})
"""Those without which a sample is not whole."""
MAX_MEMBER = 256 * 1024 * 1024
"""Largest file in a shard in bytes."""
Place = tuple[int, int]
"""Offset and size of a file in a shard, in bytes."""
AT_ONCE = 16
"""Files of a set that are asked for at once, since an object store takes its time to answer."""
_MEMBER = re.compile(r"([0-9]{9})\.([a-z.]+)")
_SHARD = re.compile(r"shard-([0-9]{6,9})\.(tar|json)")


def shard_name(number: int) -> str:
    """shard-000000.tar."""
    return f"shard-{number:06d}.tar"


def sidecar_name(number: int) -> str:
    """shard-000000.json."""
    return f"shard-{number:06d}.json"


def shard_path(directory: Path, number: int) -> Path:
    """DIR/shard-000000.tar."""
    return directory / shard_name(number)


def shard_done(where: Where, number: int) -> bool:
    """Whether a shard is complete: it and its sidecar, written last, exist."""
    store = open_store(where)
    return store.has(shard_name(number)) and store.has(sidecar_name(number))


SET_FILES = frozenset({"manifest.json", shard_name(0)})
"""Names of which a folder holds all where it is a set."""


def finished_shards(where: Where) -> list[int]:
    """Numbers of all shards that are complete, in order; asks the place only once."""
    names = set(open_store(where).names())
    numbers = {int(match[1]) for match in map(_SHARD.fullmatch, names) if match}
    return sorted(n for n in numbers if {shard_name(n), sidecar_name(n)} <= names)


def write_shard(where: Where, number: int, samples: Iterable[Sample], info: dict[str, Any]) -> None:
    """Write a shard and then its sidecar, each atomically. The bytes depend on the arguments alone.

    The sidecar holds `info`, the number of `samples` and the `sha256` of the shard. Only one process may write a given
    shard. Raises ShardError for a sample without image or mask, unknown parts, or places that do not increase.
    """
    store, shard, sidecar = open_store(where), shard_name(number), sidecar_name(number)
    content, count = _pack(samples)
    # A shard that is being replaced is not done, also when this run ends between the two files.
    store.remove(sidecar)
    store.write(shard, content)
    store.write(sidecar, json_bytes({**info, "samples": count, "sha256": hashlib.sha256(content).hexdigest()}))
    store.remove_leftovers(shard)
    store.remove_leftovers(sidecar)


def holds_shards(where: Where) -> bool:
    """Whether any archive of a shard is there, complete or not."""
    return any(match and match[2] == "tar" for match in map(_SHARD.fullmatch, open_store(where).names()))


def remove_set(where: Where) -> None:
    """Delete all shards, the manifest and the preview, and nothing else."""
    store = open_store(where)
    shards = [name for name in store.names() if _SHARD.fullmatch(name)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(store.remove, shards))
    for name in ("manifest.json", "preview.png"):
        store.remove(name)


def _pack(samples: Iterable[Sample]) -> tuple[bytes, int]:
    buffer, count, last = io.BytesIO(), 0, -1
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for sample in samples:
            meta = encoded(json.dumps(sample.meta, sort_keys=True, ensure_ascii=False, allow_nan=False))
            contents = {**sample.files, "json": meta}
            if set(contents) - set(PARTS) or REQUIRED - set(contents):
                raise ShardError(f"sample {sample.index:09d}: has the parts {', '.join(sorted(contents))}")
            if not last < sample.index < 10**9:
                raise ShardError(f"sample {sample.index}: its place must lie above {last} and below 10^9")
            for part in PARTS:
                if part in contents:
                    # Time, owner and group stay 0, as TarInfo sets them.
                    member = tarfile.TarInfo(f"{sample.index:09d}.{part}")
                    member.size, member.mode = len(contents[part]), 0o644
                    archive.addfile(member, io.BytesIO(contents[part]))
            count, last = count + 1, sample.index
    return buffer.getvalue(), count


def read_sidecar(where: Where, number: int) -> dict[str, Any]:
    """The sidecar of a finished shard. Raises ShardError naming it when it is missing or damaged."""
    store, remedy = open_store(where), "delete it and its shard, and run the command again that made them"
    try:
        sidecar = store.read_json(sidecar_name(number))
    except ValueError as error:
        raise ShardError(f"{error}; {remedy}") from error
    samples, sha256, rejects = sidecar.get("samples"), sidecar.get("sha256"), sidecar.get("rejects", {})
    numbers = [samples, *rejects.values()] if isinstance(rejects, dict) else [None]
    if (
        not isinstance(sha256, str)
        or not sha256.isascii()
        or not all(type(n) is int and 0 <= n < 10**9 for n in numbers)
    ):
        raise ShardError(f"{store.address(sidecar_name(number))}: does not say what its shard holds; {remedy}")
    return {"rejects": {}, **sidecar}


def read_sidecars(where: Where, numbers: Iterable[int]) -> list[dict[str, Any]]:
    """The sidecars of several finished shards. Raises ShardError naming one that is missing or damaged."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(partial(read_sidecar, open_store(where)), numbers))


def list_shards(where: Where) -> list[int]:
    """Numbers of the finished shards of a set, in order. Raises ShardError where there is none."""
    store = open_store(where)
    if not store.exists():
        raise ShardError(f"{store}: no such folder; make a set with `diffusionseg synth`")
    shards = finished_shards(store)
    if not shards:
        raise ShardError(f"{store}: holds no finished shard; make one with `diffusionseg synth`")
    return shards


def read_shards(where: Where, *, verify: bool = True) -> Iterator[Sample]:
    """Samples of all finished shards in order, one in memory at a time, or one shard of an object store.

    `verify` compares each shard with its sidecar's checksum before its first sample. Raises ShardError naming the file
    that is damaged, incomplete or holds members it should not.
    """
    store = open_store(where)
    for number in list_shards(store):
        yield from read_shard(store, number, verify=verify)


def read_shard(where: Where, number: int, *, verify: bool = True) -> Iterator[Sample]:
    """Samples of one finished shard, as `read_shards` reads them all."""
    store = open_store(where)
    address = store.address(shard_name(number))
    with checked_shard(store, number, verify) as file:
        for index, places in sample_places(address, file):
            yield _sample(address, index, {part: part_content(address, file, p) for part, p in places.items()})


@contextmanager
def checked_shard(store: Store, number: int, verify: bool) -> Iterator[BinaryIO]:
    """An open shard; what it must agree on with its sidecar is checked before."""
    sidecar, address = read_sidecar(store, number), store.address(shard_name(number))
    try:
        with store.open(shard_name(number)) as file:
            if verify:
                compare_checksum(address, hashlib.file_digest(file, "sha256").hexdigest(), sidecar)
            file.seek(0)
            count = sum(1 for _ in sample_places(address, file))
            if count != sidecar.get("samples"):
                raise ShardError(f"{address}: holds {count} samples, its sidecar says {sidecar.get('samples')}")
            file.seek(0)
            yield file
    except OSError as error:
        raise ShardError(f"{address}: {error.strerror or error}") from error


def compare_checksum(address: str, sha256: str, sidecar: dict[str, Any]) -> None:
    """Raise ShardError where a shard's checksum is not the one in its sidecar."""
    if sha256 != sidecar.get("sha256"):
        raise ShardError(f"{address}: does not match the checksum in its sidecar; delete both to have it made again")


def sample_places(address: str, file: BinaryIO) -> Iterator[tuple[int, dict[str, Place]]]:
    """(place in the set, where each of its parts lies) of every sample, none of which lacks a required part."""
    last = -1
    for index, members in groupby(_members(address, file), key=lambda member: member[0]):
        if index <= last:
            raise ShardError(f"{address}: sample {index:09d} comes after {last:09d}")
        places: dict[str, Place] = {}
        for _, part, place in members:
            if part in places:
                raise ShardError(f"{address}: holds {index:09d}.{part} twice")
            places[part] = place
        missing = REQUIRED - set(places)
        if missing:
            raise ShardError(f"{address}: sample {index:09d} has no {', '.join(sorted(missing))}")
        yield index, places
        last = index


def _members(address: str, file: BinaryIO) -> Iterator[tuple[int, str, Place]]:
    """(place in the set, part, where its content lies); nothing is ever unpacked to disk."""
    try:
        for member in tar_members(file):
            match = _MEMBER.fullmatch(member.name)
            if not member.regular or match is None or match[2] not in PARTS:
                raise ShardError(f"{address}: unexpected member {member.name!r}")
            if member.size > MAX_MEMBER:
                raise ShardError(f"{address}: {member.name} claims {member.size} bytes")
            yield int(match[1]), match[2], (member.offset, member.size)
    except ShardError:
        raise
    except ValueError as error:
        raise ShardError(f"{address}: damaged archive ({error})") from error


def part_content(address: str, file: BinaryIO, place: Place) -> bytes:
    """A file of an open shard. Raises ShardError where the shard ends before it."""
    offset, size = place
    file.seek(offset)
    content = file.read(size)
    if len(content) != size:
        raise ShardError(f"{address}: damaged archive (unexpected end of data)")
    return content


def _sample(address: str, index: int, parts: dict[str, bytes]) -> Sample:
    try:
        meta = json.loads(parts.pop("json"))
    except (ValueError, RecursionError) as error:
        raise ShardError(f"{address}: {index:09d}.json is not valid JSON ({error})") from error
    if not isinstance(meta, dict):
        raise ShardError(f"{address}: {index:09d}.json holds no JSON object")
    return Sample(index, parts, meta, f"{address}: ")
