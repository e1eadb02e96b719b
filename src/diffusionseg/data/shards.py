"""Synthetic sets on disk: WebDataset tar shards with a sidecar each, and a manifest."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffusionseg.data.atomic import atomic_write
from diffusionseg.data.images import read_image

PARTS = ("jpg", "mask.png", "attention.png", "json")
"""Files of one sample, in this order."""
MAX_MEMBER = 256 * 1024 * 1024
"""Largest file in a shard in bytes."""
_MEMBER = re.compile(r"(\d{9})\.(.+)")


class ShardError(ValueError):
    """A shard or manifest that cannot be used; the message begins with its path."""


class ManifestMismatch(ValueError):
    """A folder that holds a set made in another way."""


@dataclass(frozen=True)
class Sample:
    """One image–mask pair as stored."""

    index: int
    """Place in the set."""
    files: dict[str, bytes]
    """Content by extension: `jpg`, `mask.png` and, where kept, `attention.png`."""
    meta: dict[str, Any]
    """Class, prompt, seed, box, energy and quality."""

    def image_array(self) -> NDArray[np.uint8]:
        """(H, W, 3) RGB."""
        return np.asarray(read_image(self.files["jpg"], name=f"{self.index:09d}.jpg"))

    def mask_array(self) -> NDArray[np.uint8]:
        """(H, W): 0 background, 255 object, 128 ignore."""
        return self._grey("mask.png")

    def attention_array(self) -> NDArray[np.uint8]:
        """(h, w) cross-attention of the class name, 0 to 255."""
        return self._grey("attention.png")

    def _grey(self, part: str) -> NDArray[np.uint8]:
        from PIL import Image

        if part not in self.files:
            raise ShardError(f"sample {self.index:09d}: has no {part}")
        with Image.open(io.BytesIO(self.files[part])) as image:
            return np.asarray(image.convert("L"))


def shard_path(directory: Path, number: int) -> Path:
    """DIR/shard-000000.tar."""
    return directory / f"shard-{number:06d}.tar"


def shard_done(directory: Path, number: int) -> bool:
    """Whether a shard is complete: its sidecar, written last, exists."""
    return shard_path(directory, number).with_suffix(".json").exists()


def write_shard(directory: Path, number: int, samples: Iterable[Sample], info: dict[str, Any]) -> None:
    """Write a shard and then its sidecar, each atomically. The bytes depend on the arguments alone."""
    buffer = io.BytesIO()
    count = 0
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for sample in samples:
            meta = json.dumps(sample.meta, sort_keys=True, ensure_ascii=False).encode()
            contents = {**sample.files, "json": meta}
            for part in PARTS:
                if part in contents:
                    member = tarfile.TarInfo(f"{sample.index:09d}.{part}")
                    member.size, member.mode = len(contents[part]), 0o644
                    archive.addfile(member, io.BytesIO(contents[part]))
            count += 1
    content = buffer.getvalue()
    path = shard_path(directory, number)
    atomic_write(path, content)
    sidecar = {**info, "samples": count, "sha256": hashlib.sha256(content).hexdigest()}
    atomic_write(path.with_suffix(".json"), _json(sidecar))


def read_sidecar(directory: Path, number: int) -> dict[str, Any]:
    """The sidecar of a finished shard."""
    return _read_json(shard_path(directory, number).with_suffix(".json"))


def list_shards(directory: Path) -> list[Path]:
    """Finished shards of a set, in order. Raises ShardError where there is none."""
    shards = [p for p in sorted(directory.glob("shard-*.tar")) if p.with_suffix(".json").exists()]
    if not shards:
        raise ShardError(f"{directory}: holds no finished shard; make one with `diffusionseg synth`")
    return shards


def read_shards(directory: Path, *, verify: bool = True) -> Iterator[Sample]:
    """Samples of all finished shards in order. `verify` compares each shard with its sidecar's checksum.

    Raises ShardError naming the file that is damaged, incomplete or holds members it should not.
    """
    for path in list_shards(directory):
        content = path.read_bytes()
        if verify:
            expected = _read_json(path.with_suffix(".json")).get("sha256")
            if hashlib.sha256(content).hexdigest() != expected:
                raise ShardError(f"{path}: does not match the checksum in its sidecar; delete both and run synth again")
        yield from _samples(path, content)


def _samples(path: Path, content: bytes) -> Iterator[Sample]:
    files: dict[int, dict[str, bytes]] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                match = _MEMBER.fullmatch(member.name)
                if not member.isreg() or match is None or match[2] not in PARTS or member.size > MAX_MEMBER:
                    raise ShardError(f"{path}: unexpected member {member.name!r}")
                source = archive.extractfile(member)
                assert source is not None
                files.setdefault(int(match[1]), {})[match[2]] = source.read()
    except (tarfile.TarError, EOFError) as error:
        raise ShardError(f"{path}: damaged archive ({error})") from error
    for index, parts in sorted(files.items()):
        missing = {"jpg", "mask.png", "json"} - set(parts)
        if missing:
            raise ShardError(f"{path}: sample {index:09d} has no {', '.join(sorted(missing))}")
        try:
            meta = json.loads(parts.pop("json"))
        except ValueError as error:
            raise ShardError(f"{path}: {index:09d}.json is not valid JSON ({error})") from error
        yield Sample(index, parts, meta)


def write_manifest(directory: Path, manifest: dict[str, Any]) -> None:
    """Write DIR/manifest.json atomically."""
    atomic_write(directory / "manifest.json", _json(manifest))


def read_manifest(directory: Path) -> dict[str, Any]:
    """Read DIR/manifest.json; raises ShardError naming it when it is missing or damaged."""
    return _read_json(directory / "manifest.json")


def check_manifest(existing: dict[str, Any], wanted: dict[str, Any], directory: Path) -> None:
    """Raise ManifestMismatch naming every entry in which two set descriptions differ, with both values."""
    differences = _differences(existing, json.loads(json.dumps(wanted)))
    if differences:
        lines = "; ".join(f"{key} is {old!r}, asked for {new!r}" for key, old, new in differences)
        raise ManifestMismatch(
            f"{directory}: holds another set ({lines}); choose another --out, or --overwrite to start again"
        )


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[tuple[str, Any, Any]]:
    found = []
    for key in sorted(set(old) | set(new)):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{prefix}{key}.")
        elif a != b:
            found.append((prefix + key, a, b))
    return found


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise ShardError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ShardError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise ShardError(f"{path}: expected a JSON object")
    return value
