"""Which files of the inputs are photographs, and under which names their outputs go."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

DROPPINGS = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
"""Files that operating systems leave in folders, in lower case; hidden ones are passed over anyway."""


@dataclass(frozen=True)
class InputImage:
    """One input file."""

    path: Path
    """Where it is."""
    relative: Path
    """Its path below the folder that was given, or its name if the file itself was given; no two inputs share it."""


def find_images(
    inputs: Sequence[Path],
    include: Sequence[str] = (),
    *,
    exclude: Sequence[Path] = (),
    written: frozenset[str] = frozenset(),
) -> list[InputImage]:
    """Files of the inputs, folders searched through, sorted. Every visible file counts, whatever its extension: one
    that is no picture, or a link that leads nowhere, gets an error by name later instead of being passed over.

    `include` keeps only files whose name matches one of these patterns, such as `*.jpg`; `exclude` names folders that
    are not searched, such as that of the outputs. Folders below an input that hold all files named in `written` are
    earlier outputs and not searched either. Where two inputs have a file of the same relative path, both get
    folders in front until they differ. Raises ValueError naming an input that does not exist.
    """
    skipped = {Path(os.path.realpath(folder)) for folder in exclude}
    found: dict[Path, InputImage] = {}
    for source in inputs:
        if source.is_dir():
            for path in _walk(source, skipped, written):
                found.setdefault(_absolute(path), InputImage(path, path.relative_to(source)))
        elif source.exists():
            found.setdefault(_absolute(source), InputImage(source, Path(source.name)))
        else:
            raise ValueError(f"{source}: no such file or folder")
    kept = [i for i in found.values() if not include or any(fnmatch(i.path.name, p) for p in include)]
    return sorted(_distinct(kept), key=lambda image: image.relative.as_posix())


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute() keeps "..", resolve() would follow links


def _walk(folder: Path, skipped: set[Path], written: frozenset[str]) -> Iterator[Path]:
    """Files below a folder. Links to folders are followed, each real folder is entered once, so that loops end."""
    entered = skipped - {Path(os.path.realpath(folder))}
    waiting = deque([folder])
    while waiting:
        directory = waiting.pop()
        real = Path(os.path.realpath(directory))
        if real in entered:
            continue
        entered.add(real)
        try:
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except OSError:
            # Reading it as a picture gives the error that names it.
            yield directory
            continue
        if written and directory != folder and written <= {entry.name for entry in entries}:
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower() in DROPPINGS:
                continue
            path = directory / entry.name
            if not _is(entry.is_dir):
                if _is(entry.is_file) or entry.is_symlink():
                    yield path
            elif entry.is_symlink():
                # Last, so that a folder that is also there without a link keeps its own name.
                waiting.appendleft(path)
            else:
                waiting.append(path)


def _is(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except OSError:
        # A loop of links, or a link into a folder that may not be read.
        return False


def _distinct(images: Sequence[InputImage]) -> list[InputImage]:
    for _ in range(max((len(_absolute(image.path).parts) for image in images), default=0)):
        count = Counter(image.relative for image in images)
        if len(count) == len(images):
            break
        images = [
            replace(i, relative=_last_parts(i, len(i.relative.parts) + 1)) if count[i.relative] > 1 else i
            for i in images
        ]
    return list(images)


def _last_parts(image: InputImage, number: int) -> Path:
    absolute = _absolute(image.path)
    return Path(*absolute.relative_to(absolute.anchor).parts[-number:])


def output_stems(images: Sequence[InputImage]) -> dict[InputImage, Path]:
    """Relative output path without extension for each image; no two are the same, also for a.jpg beside a.png.

    These two become `a.jpg` and `a.png`, any other image its name without extension. Upper and lower case count as
    the same, as on the file systems of Windows and macOS.
    """
    count = Counter(_key(image.relative.with_suffix("")) for image in images)
    stems: dict[InputImage, Path] = {}
    taken: set[str] = set()
    for image in images:
        stem = image.relative.with_suffix("")
        name = stem if count[_key(stem)] == 1 else image.relative
        number, unique = 2, name
        while _key(unique) in taken:
            unique = name.with_name(f"{name.name}-{number}")
            number += 1
        taken.add(_key(unique))
        stems[image] = unique
    return stems


def _key(path: Path) -> str:
    return path.as_posix().casefold()
