"""Which files of the inputs are photographs, and under which names their outputs go."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

DROPPINGS = frozenset({"thumbs.db", "desktop.ini", "icon\r"})
"""Files that operating systems leave in folders, in lower case."""


@dataclass(frozen=True)
class InputImage:
    """One input file."""

    path: Path
    """Where it is."""
    relative: Path
    """Its path below the folder that was given, or its name if the file itself was given."""


def find_images(inputs: Sequence[Path], include: Sequence[str] = ()) -> list[InputImage]:
    """Files of the inputs, folders searched through, sorted. Every visible file counts, whatever its extension: one
    that is no picture gets an error by name later instead of being passed over. `include` keeps only files whose name
    matches one of these patterns, such as `*.jpg`. Raises ValueError naming an input that does not exist.
    """
    found: dict[Path, InputImage] = {}
    for source in inputs:
        if source.is_dir():
            for path in _walk(source):
                found.setdefault(path, InputImage(path, path.relative_to(source)))
        elif source.exists():
            found.setdefault(source, InputImage(source, Path(source.name)))
        else:
            raise ValueError(f"{source}: no such file or folder")
    kept = (i for i in found.values() if not include or any(fnmatch(i.path.name, p) for p in include))
    return sorted(kept, key=lambda image: (image.relative.as_posix(), image.path.as_posix()))


def _walk(folder: Path) -> list[Path]:
    files = []
    for directory, folders, names in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith(".")]
        files += [Path(directory, n) for n in names if not n.startswith(".") and n.lower() not in DROPPINGS]
    return [f for f in files if f.is_file()]


def output_stems(images: Sequence[InputImage]) -> dict[InputImage, Path]:
    """Relative output path without extension for each image; no two are the same, also for a.jpg beside a.png."""
    count: dict[str, int] = {}
    for image in images:
        key = image.relative.with_suffix("").as_posix().lower()
        count[key] = count.get(key, 0) + 1
    stems: dict[InputImage, Path] = {}
    taken: set[str] = set()
    for image in images:
        stem = image.relative.with_suffix("")
        name = stem if count[stem.as_posix().lower()] == 1 else image.relative
        number, unique = 2, name
        while unique.as_posix().lower() in taken:
            unique = name.with_name(f"{name.name}-{number}")
            number += 1
        taken.add(unique.as_posix().lower())
        stems[image] = unique
    return stems
