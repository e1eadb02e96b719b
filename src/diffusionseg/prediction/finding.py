"""The photographs that a run was given, one after the other, and how many they are."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path

from diffusionseg.data import SET_FILES, InputImage, find_images, listed_images, walk_images
from diffusionseg.prediction.photo_work import SETTINGS
from diffusionseg.prediction.records import RECORDS

STDIN = Path("-")
WRITTEN = (frozenset({RECORDS, SETTINGS}), SET_FILES)
"""Names of which a folder holds all where it is one of predictions or a set, whose pictures are no photographs."""


class Photographs:
    """Photographs that are read or searched for as they are asked for."""

    def __init__(self, found: Iterator[InputImage], number: Callable[[], int] | None, total: int | None = None) -> None:
        """`number` counts them in another way, perhaps slowly."""
        self.total = total
        """How many there are, once that is known."""
        self._found, self._number = found, number

    def __iter__(self) -> Iterator[InputImage]:
        """Each photograph once: nothing is left for another loop."""
        return self._found

    def count(self) -> None:
        """Begin to count, where the total is not known and can be; calls after the first do nothing."""
        if self._number is not None and self.total is None:
            threading.Thread(target=self._count, args=(self._number,), daemon=True).start()
        self._number = None

    def _count(self, number: Callable[[], int]) -> None:
        # What cannot be read ends the run itself.
        with suppress(OSError, ValueError):
            counted = number()
            if self.total is None:
                self.total = counted


def find_photographs(inputs: Sequence[Path], listed: Path | None, include: Sequence[str], out: Path) -> Photographs:
    """The photographs of files and folders, or of a list; a single folder is searched, and a list read, on the way.

    Raises ValueError for an input or list that does not exist, and where there is no photograph at all.
    """
    number: Callable[[], int] | None = None
    total = None
    if listed is not None:
        images = _listed(listed, include)
        # Standard input and pipes cannot be read twice.
        if listed.is_file():
            number = partial(_lines, listed, include)
    elif len(inputs) == 1 and inputs[0].is_dir():
        walk = partial(walk_images, inputs[0], include, exclude=[out], written=WRITTEN)
        images, number = walk(), lambda: sum(1 for _ in walk())
    else:
        found = find_images(inputs, include, exclude=[out], written=WRITTEN)
        images, total = iter(found), len(found)
    first = next(images, None)
    if first is None:
        where = ", ".join(map(str, inputs)) if listed is None else str(listed)
        matching = f" matches --include {', '.join(include)}" if include else ""
        raise ValueError(f"no file in {where}{matching}")
    return Photographs(chain([first], images), number, total)


def _listed(path: Path, include: Sequence[str]) -> Iterator[InputImage]:
    if path == STDIN:
        yield from listed_images(sys.stdin.buffer, include)
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise ValueError(f"--list {path}: {error.strerror or error}") from error
    with file:
        yield from listed_images(file, include)


def _lines(path: Path, include: Sequence[str]) -> int:
    with path.open("rb") as file:
        # Where nothing is left out, lines are counted much quicker; that some name the same shows in the end.
        return sum(1 for _ in (listed_images(file, include) if include else filter(bytes.strip, file)))
