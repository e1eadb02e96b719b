"""Synthetic sets on disk: WebDataset tar shards, each with a sidecar that says it is done."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from diffusionseg.data.atomic import atomic_write, remove_leftovers
from diffusionseg.data.json_files import json_bytes, read_json_object
from diffusionseg.data.samples import Sample, ShardError

PARTS = ("jpg", "mask.png", "attention.png", "json")
"""Files of one sample, in this order."""
REQUIRED = frozenset({"jpg", "mask.png", "json"})
"""Those without which a sample is not whole."""
MAX_MEMBER = 256 * 1024 * 1024
"""Largest file in a shard in bytes."""
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
            meta = json.dumps(sample.meta, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
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
        sidecar = _sidecar(path)
        try:
            with path.open("rb") as file:
                if verify and hashlib.file_digest(file, "sha256").hexdigest() != sidecar.get("sha256"):
                    raise ShardError(
                        f"{path}: does not match the checksum in its sidecar; delete both and run synth again"
                    )
                file.seek(0)
                count = 0
                for sample in _samples(path, file):
                    count += 1
                    yield sample
        except OSError as error:
            raise ShardError(f"{path}: {error.strerror or error}") from error
        if count != sidecar.get("samples"):
            raise ShardError(f"{path}: holds {count} samples, its sidecar says {sidecar.get('samples')}")


def _sidecar(path: Path) -> dict[str, Any]:
    try:
        return read_json_object(path.with_suffix(".json"))
    except ValueError as error:
        raise ShardError(str(error)) from error


def _samples(path: Path, file: BinaryIO) -> Iterator[Sample]:
    last, index, parts = -1, -1, dict[str, bytes]()
    for index, part, content in _members(path, file):
        if index != last:
            if parts:
                yield _sample(path, last, parts)
            if index < last:
                raise ShardError(f"{path}: sample {index:09d} comes after {last:09d}")
            last, parts = index, {}
        if part in parts:
            raise ShardError(f"{path}: holds {index:09d}.{part} twice")
        parts[part] = content
    if parts:
        yield _sample(path, index, parts)


def _members(path: Path, file: BinaryIO) -> Iterator[tuple[int, str, bytes]]:
    """(place, part, content), nothing ever unpacked to disk."""
    try:
        # "r:" reads plain tar only: a compressed one could unfold to any size.
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                match = _MEMBER.fullmatch(member.name)
                if not member.isreg() or member.issparse() or match is None or match[2] not in PARTS:
                    raise ShardError(f"{path}: unexpected member {member.name!r}")
                if not 0 <= member.size <= MAX_MEMBER:
                    raise ShardError(f"{path}: {member.name} claims {member.size} bytes")
                source = archive.extractfile(member)
                assert source is not None
                yield int(match[1]), match[2], source.read()
    except (tarfile.TarError, EOFError, OverflowError) as error:
        raise ShardError(f"{path}: damaged archive ({error})") from error


def _sample(path: Path, index: int, parts: dict[str, bytes]) -> Sample:
    missing = REQUIRED - set(parts)
    if missing:
        raise ShardError(f"{path}: sample {index:09d} has no {', '.join(sorted(missing))}")
    try:
        meta = json.loads(parts.pop("json"))
    except (ValueError, RecursionError) as error:
        raise ShardError(f"{path}: {index:09d}.json is not valid JSON ({error})") from error
    if not isinstance(meta, dict):
        raise ShardError(f"{path}: {index:09d}.json holds no JSON object")
    return Sample(index, parts, meta)
