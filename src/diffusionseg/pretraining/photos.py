"""Captioned photographs for pretraining: Parquet files or folders of class sub-folders, held as small RGB arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffusionseg.data import ImageError, encoded_image, find_images, parquet_batches, read_image
from diffusionseg.pretraining.framing import squares


@dataclass(frozen=True)
class Photos:
    """Square photographs of one size with a class name each."""

    images: NDArray[np.uint8]
    """(N, S, S, 3) RGB."""
    labels: NDArray[np.int64]
    """(N,) indices into `names`."""
    names: tuple[str, ...]
    """Class names, sorted."""
    unreadable: tuple[str, ...] = ()
    """Files or rows that could not be read, with the reason."""

    def __len__(self) -> int:
        return len(self.images)


def read_photos(sources: Sequence[Path], size: int, classes: Sequence[str] | None = None) -> Photos:
    """Read every photograph of `sources` as a centred square of `size` pixels.

    A source is a Parquet file with the columns `image` (encoded bytes) and `class` (text), or a folder whose
    sub-folders are named after the classes. `classes` keeps only these class names.

    Raises ValueError when a source is neither, or when nothing is left to train on.
    """
    return read_photos_of_sizes(sources, size, (), classes)[0]


def read_photos_of_sizes(
    sources: Sequence[Path],
    size: int,
    larger_sizes: Sequence[int],
    classes: Sequence[str] | None = None,
    *,
    zoom_out: bool = False,
) -> list[Photos]:
    """`read_photos` of `size`, and of each of `larger_sizes` those whose shorter side has as many pixels.

    With `zoom_out`, a photograph with calm edges gives squares that show all of it instead of its centre (see
    `framing.squares`). Every photograph is decoded once. Raises ValueError as `read_photos` does, and where no
    photograph is large enough.
    """
    wanted = None if classes is None else set(classes)

    def read(row: tuple[str, str, bytes | Path]) -> list[list[NDArray[np.uint8]]] | str:
        origin, _, content = row
        try:
            image = read_image(content, name=origin)
        except ImageError as error:
            return str(error)
        fitting = (s if s == size or min(image.size) >= s else None for s in (size, *larger_sizes))
        return [[] if s is None else squares(image, s, zoom_out=zoom_out) for s in fitting]

    rows = chain.from_iterable(_rows(source, wanted) for source in sources)
    images: list[list[NDArray[np.uint8]]] = [[] for _ in (size, *larger_sizes)]
    labels: list[list[str]] = [[] for _ in images]
    unreadable = []
    # Decoding and resizing leave the interpreter's lock to the other threads.
    with ThreadPoolExecutor() as pool:
        # So many at once, since the encoded ones may be far larger than what is kept.
        while some := list(islice(rows, 512)):
            for (_, name, _), found in zip(some, pool.map(read, some), strict=True):
                if isinstance(found, str):
                    unreadable.append(found)
                    continue
                for number, of_size in enumerate(found):
                    images[number] += of_size
                    labels[number] += [name] * len(of_size)
    if not images[0]:
        hint = "" if classes is None else "; check --classes-file"
        raise ValueError(f"no readable photograph in {', '.join(map(str, sources))}{hint}")
    for larger, kept in zip(larger_sizes, images[1:], strict=True):
        if not kept:
            raise ValueError(f"--larger-size {larger}: no readable photograph has {larger} pixels on its shorter side")
    return [_photos(*both, unreadable) for both in zip(images, labels, strict=True)]


def _photos(images: list[NDArray[np.uint8]], labels: list[str], unreadable: list[str]) -> Photos:
    names = tuple(sorted(set(labels)))
    index = {name: i for i, name in enumerate(names)}
    return Photos(np.stack(images), np.array([index[n] for n in labels]), names, tuple(unreadable))


def _rows(source: Path, wanted: set[str] | None) -> Iterator[tuple[str, str, bytes | Path]]:
    """(where it is, class, photograph) of all photographs of the wanted classes."""
    if source.is_dir():
        for name, file in _folder_rows(source):
            if wanted is None or name in wanted:
                yield str(file), name, file
    else:
        yield from _parquet_rows(source, wanted)


def _folder_rows(source: Path) -> Iterator[tuple[str, Path]]:
    for file in find_images([source]):
        folders = file.relative.parts[:-1]
        if not folders:
            raise ValueError(f"{file.path}: lies outside the sub-folders of {source}, which are its classes")
        yield folders[0], file.path


def _parquet_rows(source: Path, wanted: set[str] | None) -> Iterator[tuple[str, str, bytes]]:
    row = 0
    for batch in _batches(source, ["image", "class"]):
        for content, name in zip(batch["image"], batch["class"].to_pylist(), strict=True):
            if wanted is None or name in wanted:
                yield f"{source}:{row}", name, encoded_image(content)
            row += 1


def _batches(source: Path, columns: list[str]) -> Iterator[Any]:
    if source.suffix != ".parquet":
        raise ValueError(f"{source}: expected a folder of class sub-folders or a .parquet file")
    for batch in parquet_batches(source, columns):
        if not all(isinstance(name, str) for name in batch["class"].to_pylist()):
            raise ValueError(f"{source}: its column class holds what is no text")
        yield batch


def class_names(sources: Sequence[Path]) -> list[str]:
    """Every class name that the sources hold, sorted; no photograph is decoded."""
    names: set[str] = set()
    for source in sources:
        if source.is_dir():
            names |= {name for name, _ in _folder_rows(source)}
        else:
            names |= {name for batch in _batches(source, ["class"]) for name in batch["class"].to_pylist()}
    return sorted(names)


def read_class_file(path: Path) -> tuple[list[str], dict[str, str]]:
    """Read `classes` (a list) and the table `general` (name → wider word) from a TOML file.

    Raises ValueError naming the file and what is wrong in it.
    """
    import tomllib

    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    # Of its own class, or of a number too long or nested too deep.
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not valid TOML: {error}") from error
    names, general = values.get("classes"), values.get("general", {})
    if not (isinstance(names, list) and names and all(isinstance(n, str) for n in names)):
        raise ValueError(f"{path}: needs classes = [one or more names]")
    if not (isinstance(general, dict) and all(isinstance(w, str) for w in general.values())):
        raise ValueError(f"{path}: [general] must map names to words")
    return names, general
