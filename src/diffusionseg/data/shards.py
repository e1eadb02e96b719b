"""Synthetic sets on disk: WebDataset tar shards, each with a sidecar that says it is done."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, overload

import numpy as np
from numpy.typing import NDArray

from diffusionseg.data.atomic import atomic_write, remove_leftovers
from diffusionseg.data.json_files import encoded, json_bytes, read_json_object
from diffusionseg.data.samples import Sample, ShardError
from diffusionseg.data.tar_members import tar_members

PARTS = ("jpg", "mask.png", "attention.png", "json")
"""Files of one sample, in this order."""
REQUIRED = frozenset({"jpg", "mask.png", "json"})
"""Those without which a sample is not whole."""
MAX_MEMBER = 256 * 1024 * 1024
"""Largest file in a shard in bytes."""
Place = tuple[int, int]
"""Offset and size of a file in a shard, in bytes."""
Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Image (H, W, 3) and mask (H, W)."""
_MEMBER = re.compile(r"([0-9]{9})\.([a-z.]+)")
_SHARD = re.compile(r"shard-[0-9]{6}\.tar")


def shard_path(directory: Path, number: int) -> Path:
    """DIR/shard-000000.tar."""
    return directory / f"shard-{number:06d}.tar"


def shard_done(directory: Path, number: int) -> bool:
    """Whether a shard is complete: it and its sidecar, written last, exist."""
    path = shard_path(directory, number)
    return path.exists() and path.with_suffix(".json").exists()


def write_shard(directory: Path, number: int, samples: Iterable[Sample], info: dict[str, Any]) -> None:
    """Write a shard and then its sidecar, each atomically. The bytes depend on the arguments alone.

    The sidecar holds `info`, the number of `samples` and the `sha256` of the shard. Only one process may write a given
    shard. Raises ShardError for a sample without image or mask, unknown parts, or places that do not increase.
    """
    path = shard_path(directory, number)
    content, count = _pack(samples)
    # A shard that is being replaced is not done, also when this run ends between the two files.
    path.with_suffix(".json").unlink(missing_ok=True)
    atomic_write(path, content)
    sidecar = {**info, "samples": count, "sha256": hashlib.sha256(content).hexdigest()}
    atomic_write(path.with_suffix(".json"), json_bytes(sidecar))
    remove_leftovers(path)
    remove_leftovers(path.with_suffix(".json"))


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


def read_sidecar(directory: Path, number: int) -> dict[str, Any]:
    """The sidecar of a finished shard. Raises ShardError naming it when it is missing or damaged."""
    return _sidecar(shard_path(directory, number))


def list_shards(directory: Path) -> list[Path]:
    """Finished shards of a set, in order. Raises ShardError where there is none."""
    if not directory.is_dir():
        raise ShardError(f"{directory}: no such folder; make a set with `diffusionseg synth`")
    tars = sorted(p for p in directory.iterdir() if _SHARD.fullmatch(p.name))
    shards = [p for p in tars if p.with_suffix(".json").exists()]
    if not shards:
        raise ShardError(f"{directory}: holds no finished shard; make one with `diffusionseg synth`")
    return shards


def read_shards(directory: Path, *, verify: bool = True) -> Iterator[Sample]:
    """Samples of all finished shards in order, one in memory at a time.

    `verify` compares each shard with its sidecar's checksum before its first sample. Raises ShardError naming the file
    that is damaged, incomplete or holds members it should not.
    """
    for path in list_shards(directory):
        with _checked(path, verify) as file:
            for index, places in _places(path, file):
                yield _sample(path, index, {part: _content(path, file, place) for part, place in places.items()})


class StoredPairs(Sequence[Pair]):
    """Images (H, W, 3) and masks (H, W) of 0, 128 and 255 of finished sets, each read when it is indexed.

    Opening compares every shard with its checksum and keeps where each sample lies, some 200 bytes a pair. Raises
    ShardError as `read_shards` does, and ImageError for a damaged picture.
    """

    def __init__(self, directories: Iterable[Path]) -> None:
        self._samples: list[tuple[Path, int, dict[str, Place]]] = []
        digest = hashlib.sha256()
        for directory in directories:
            for path in list_shards(directory):
                digest.update(str(_sidecar(path).get("sha256")).encode())
                with _checked(path, verify=True) as file:
                    for index, places in _places(path, file):
                        self._samples.append((path, index, {"jpg": places["jpg"], "mask.png": places["mask.png"]}))
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
        path, number, places = self._samples[index]
        try:
            with path.open("rb") as file:
                files = {part: _content(path, file, place) for part, place in places.items()}
        except OSError as error:
            raise ShardError(f"{path}: {error.strerror or error}") from error
        sample = Sample(number, files, {}, f"{path}: ")
        return sample.image_array(), sample.mask_array()


@contextmanager
def _checked(path: Path, verify: bool) -> Iterator[BinaryIO]:
    """An open shard; what it must agree on with its sidecar is checked before."""
    sidecar = _sidecar(path)
    try:
        with path.open("rb") as file:
            if verify and hashlib.file_digest(file, "sha256").hexdigest() != sidecar.get("sha256"):
                raise ShardError(f"{path}: does not match the checksum in its sidecar; delete both and run synth again")
            file.seek(0)
            count = sum(1 for _ in _places(path, file))
            if count != sidecar.get("samples"):
                raise ShardError(f"{path}: holds {count} samples, its sidecar says {sidecar.get('samples')}")
            file.seek(0)
            yield file
    except OSError as error:
        raise ShardError(f"{path}: {error.strerror or error}") from error


def _sidecar(path: Path) -> dict[str, Any]:
    remedy = "delete it and its shard, and run the command again that made them"
    try:
        sidecar = read_json_object(path.with_suffix(".json"))
    except ValueError as error:
        raise ShardError(f"{error}; {remedy}") from error
    samples, sha256, rejects = sidecar.get("samples"), sidecar.get("sha256"), sidecar.get("rejects", {})
    numbers = [samples, *rejects.values()] if isinstance(rejects, dict) else [None]
    if (
        not isinstance(sha256, str)
        or not sha256.isascii()
        or not all(type(n) is int and 0 <= n < 10**9 for n in numbers)
    ):
        raise ShardError(f"{path.with_suffix('.json')}: does not say what its shard holds; {remedy}")
    return {"rejects": {}, **sidecar}


def _places(path: Path, file: BinaryIO) -> Iterator[tuple[int, dict[str, Place]]]:
    """(place in the set, where each of its parts lies) of every sample, none of which lacks a required part."""
    last = -1
    for index, members in groupby(_members(path, file), key=lambda member: member[0]):
        if index <= last:
            raise ShardError(f"{path}: sample {index:09d} comes after {last:09d}")
        places: dict[str, Place] = {}
        for _, part, place in members:
            if part in places:
                raise ShardError(f"{path}: holds {index:09d}.{part} twice")
            places[part] = place
        missing = REQUIRED - set(places)
        if missing:
            raise ShardError(f"{path}: sample {index:09d} has no {', '.join(sorted(missing))}")
        yield index, places
        last = index


def _members(path: Path, file: BinaryIO) -> Iterator[tuple[int, str, Place]]:
    """(place in the set, part, where its content lies); nothing is ever unpacked to disk."""
    try:
        for member in tar_members(file):
            match = _MEMBER.fullmatch(member.name)
            if not member.regular or match is None or match[2] not in PARTS:
                raise ShardError(f"{path}: unexpected member {member.name!r}")
            if member.size > MAX_MEMBER:
                raise ShardError(f"{path}: {member.name} claims {member.size} bytes")
            yield int(match[1]), match[2], (member.offset, member.size)
    except ShardError:
        raise
    except ValueError as error:
        raise ShardError(f"{path}: damaged archive ({error})") from error


def _content(path: Path, file: BinaryIO, place: Place) -> bytes:
    offset, size = place
    file.seek(offset)
    content = file.read(size)
    if len(content) != size:
        raise ShardError(f"{path}: damaged archive (unexpected end of data)")
    return content


def _sample(path: Path, index: int, parts: dict[str, bytes]) -> Sample:
    try:
        meta = json.loads(parts.pop("json"))
    except (ValueError, RecursionError) as error:
        raise ShardError(f"{path}: {index:09d}.json is not valid JSON ({error})") from error
    if not isinstance(meta, dict):
        raise ShardError(f"{path}: {index:09d}.json holds no JSON object")
    return Sample(index, parts, meta, f"{path}: ")
