"""Which files of the inputs are photographs."""

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
    shares_stem: bool = False
    """Whether the path of another input differs from it in extension or case alone; as far as that was looked at."""


def find_images(
    inputs: Sequence[Path],
    include: Sequence[str] = (),
    *,
    exclude: Sequence[Path] = (),
    written: Sequence[frozenset[str]] = (),
) -> list[InputImage]:
    """Files of the inputs, folders searched through, sorted. Every visible file counts, whatever its extension: one
    that is no picture, or a link that leads nowhere, gets an error by name later instead of being passed over.

    `include` keeps only files whose name matches one of these patterns, such as `*.jpg`; `exclude` names folders that
    are not searched, such as that of the outputs. Folders below an input that hold all files that one of
    `written` names are earlier outputs and not searched either. Where two inputs have a file of the same relative path,
    both get folders in front until they differ. Raises ValueError naming an input that does not exist.
    """
    skipped = {Path(os.path.realpath(folder)) for folder in exclude}
    found: dict[Path, InputImage] = {}
    for source in inputs:
        if source.is_dir():
            for image in _walk(source, include, skipped, written):
                found.setdefault(_absolute(image.path), image)
        elif not source.exists():
            raise ValueError(f"{source}: no such file or folder")
        elif _wanted(source.name, include):
            found.setdefault(_absolute(source), InputImage(source, Path(source.name)))
    images = _distinct(list(found.values()))
    count = Counter(_key(image.relative.as_posix()) for image in images)
    images = [replace(i, shares_stem=count[_key(i.relative.as_posix())] > 1) for i in images]
    return sorted(images, key=lambda image: image.relative.as_posix())


def walk_images(
    folder: Path, include: Sequence[str] = (), *, exclude: Sequence[Path] = (), written: Sequence[frozenset[str]] = ()
) -> Iterator[InputImage]:
    """What `find_images` finds in one folder, while it is still being searched, in the same order; only what links to
    folders lead to comes last. No more is held than the names in one folder and in those above it.

    Files share a stem if they do within one folder.
    """
    return _walk(folder, include, {Path(os.path.realpath(other)) for other in exclude}, written)


def without_extension(name: str) -> str:
    """A name or path with `/` without its last extension; as it is where nothing but dots would be left."""
    start = name.rfind("/") + 1
    dot = name.rfind(".")
    return name[:dot] if name[start:dot].strip(".") and dot < len(name) - 1 else name


def _key(name: str) -> str:
    return without_extension(name).casefold()


def _wanted(name: str, include: Sequence[str]) -> bool:
    return not include or any(fnmatch(name, pattern) for pattern in include)


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute() keeps "..", resolve() would follow links


def _walk(
    top: Path, include: Sequence[str], skipped: set[Path], written: Sequence[frozenset[str]]
) -> Iterator[InputImage]:
    """Files below a folder. Links to folders are followed, each real folder is entered once, so that loops end."""
    entered = skipped - {Path(os.path.realpath(top))}
    # Links wait, so that a folder that is also there without one keeps its own name.
    waiting = deque([""])
    while waiting:
        way = [_Folder("", iter([waiting.popleft()]))]
        while way:
            name = next(way[-1].names, None)
            if name is None:
                way.pop()
                continue
            relative = way[-1].prefix + name
            if name and not name.endswith("/"):
                yield InputImage(top / relative, Path(relative), _key(name) in way[-1].shared)
                continue
            real = Path(os.path.realpath(top / relative))
            if real in entered:
                continue
            entered.add(real)
            try:
                inside = _look_into(top / relative)
            except OSError:
                # Reading it as a picture gives the error that names it.
                if _wanted((top / relative).name, include):
                    yield InputImage(top / relative, Path(relative))
                continue
            if relative and any(names.issubset(inside.files) for names in written):
                continue
            waiting.extend(f"{relative}{link}/" for link in sorted(inside.links))
            files = [file for file in inside.files if _wanted(file, include)]
            # As paths sort: the slash behind a folder's name counts.
            names = sorted([*files, *(f"{folder}/" for folder in inside.folders)])
            way.append(_Folder(relative, iter(names), _shared(files)))


@dataclass(frozen=True)
class _Folder:
    """A folder that is being searched."""

    prefix: str
    """Its path below the top, with a slash at the end; empty for the top itself."""
    names: Iterator[str]
    """What is left of its files and, with a slash at the end, folders."""
    shared: frozenset[str] = frozenset()
    """Keys of names that several of its files share."""


@dataclass(frozen=True)
class _Content:
    """What is visible in a folder, by name."""

    files: list[str]
    folders: list[str]
    links: list[str]
    """Links to folders."""


def _look_into(folder: Path) -> _Content:
    content = _Content([], [], [])
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower() in DROPPINGS:
                continue
            if _is(entry.is_dir):
                (content.links if entry.is_symlink() else content.folders).append(entry.name)
            elif _is(entry.is_file) or entry.is_symlink():
                content.files.append(entry.name)
    return content


def _shared(names: Sequence[str]) -> frozenset[str]:
    seen: set[str] = set()
    shared: set[str] = set()
    for name in names:
        key = _key(name)
        (shared if key in seen else seen).add(key)
    return frozenset(shared)


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
