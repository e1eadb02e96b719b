"""Under which names the outputs of images go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from diffusionseg.data.digests import DigestSet
from diffusionseg.data.folder import InputImage, without_extension


class OutputNames:
    """Paths without extension below the folder of the outputs, one for each image; no two are the same.

    An image gets its own relative path without extension; with it where another file shares the rest of its name, as
    a.jpg does beside a.png, or where an image that came before has that path already. Upper and lower case count as
    the same, as on the file systems of Windows and macOS.
    """

    def __init__(self) -> None:
        self._taken = DigestSet()

    def keep(self, output: str) -> None:
        """Nobody gets this path any more: an earlier run gave it to an image."""
        self._taken.add(output.casefold())

    def give(self, image: InputImage) -> str:
        """A path for an image that has none yet."""
        return next(name for name in _candidates(image) if self._taken.add(name.casefold()))


def default_output(image: str) -> str:
    """The path that an image of this relative path gets where nothing is in the way."""
    return without_extension(without_anchor(Path(image)).as_posix())


def without_anchor(path: Path) -> Path:
    """A path that stays below the folder it is joined to, if it has no `..`: an absolute one without its root."""
    return path.relative_to(path.anchor)


def output_of(record: Mapping[str, Any]) -> str:
    """The path that the record of an image in a predictions.jsonl says, or else the default."""
    output = record.get("output")
    # The file may be anybody's: nothing it says leads out of the folder.
    if isinstance(output, str) and not Path(output).is_absolute() and ".." not in Path(output).parts:
        return output
    return default_output(str(record.get("image")))


def _candidates(image: InputImage) -> Iterator[str]:
    whole = without_anchor(image.relative).as_posix()
    if not image.shares_stem:
        yield without_extension(whole)
    yield whole
    for number in count(2):
        yield f"{whole}-{number}"
