"""Folders inside folders, as archives leave them: how deep a data set may lie, and in what case it is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path


def nearest(root: Path, fits: Callable[[Path], bool]) -> list[Path]:
    """The folders that fit on the first of these levels that has any: `root`, the folders in it, those in them."""
    return next((found for level in levels(root) if (found := [p for p in level if fits(p)])), [])


def levels(root: Path) -> Iterator[list[Path]]:
    """The folder itself, then the visible folders in it, then those in them: archives are often unpacked into one."""
    level = [root] if root.is_dir() else []
    for _ in range(3):
        yield level
        level = [child for folder in level for child in folders(folder)]


def inside(folder: Path, path: str) -> Path | None:
    """The folder `path` below a folder, whatever its case; None where there is none."""
    for part in path.split("/"):
        exact = folder / part
        if not exact.is_dir():
            same = [child for child in folders(folder) if child.name.casefold() == part.casefold()]
            if not same:
                return None
            exact = same[0]
        folder = exact
    return folder


def there(path: Path) -> bool:
    """Whether `path` is a file; names that no file can have, as annotations may hold, are none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def folders(folder: Path) -> list[Path]:
    """Visible folders in a folder, sorted; none where it may not be read."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir()]
    except OSError:
        return []
    return [folder / name for name in sorted(names) if not name.startswith((".", "__MACOSX"))]
