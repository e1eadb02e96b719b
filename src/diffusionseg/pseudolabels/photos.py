"""The photographs of folders, files and Parquet files, one after the other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffusionseg.data import encoded_image, find_images, parquet_batches, parquet_rows
from diffusionseg.prediction.finding import WRITTEN


@dataclass(frozen=True)
class Photo:
    """One photograph, not yet read."""

    name: str
    """Path below its source, or file and row."""
    content: Path | bytes
    """Where it is, or its encoded bytes."""


class PhotoList:
    """Photographs of several sources in a fixed order, or a random choice of them.

    Folders in `exclude`, and sets and folders of predictions below the sources, are not searched. Raises ValueError
    naming a source that does not exist, cannot be read or holds nothing.
    """

    def __init__(
        self, sources: Sequence[Path], count: int | None = None, seed: int = 0, *, exclude: Sequence[Path] = ()
    ) -> None:
        self.tables = [s for s in sources if s.suffix == ".parquet"]
        others = [s for s in sources if s.suffix != ".parquet"]
        self.files = find_images(others, exclude=exclude, written=WRITTEN) if others else []
        rows = [parquet_rows(table) for table in self.tables]
        total = len(self.files) + sum(rows)
        if not total:
            raise ValueError(f"no photograph in {', '.join(map(str, sources))}")
        places = np.random.default_rng(seed).permutation(total)[: total if count is None else count]
        self.chosen = np.sort(places)
        parts = [f"{file.relative.as_posix()}:{_size(file.path)}" for file in self.files]
        parts += [f"{table.name}:{number}:{_size(table)}" for table, number in zip(self.tables, rows, strict=True)]
        self.sha256 = hashlib.sha256("\n".join(parts).encode(errors="surrogatepass")).hexdigest()
        """Over the names and sizes in bytes of all files and tables and the number of rows of the latter; content is
        not read for it."""

    def __len__(self) -> int:
        return len(self.chosen)

    def __iter__(self) -> Iterator[Photo]:
        wanted = iter(self.chosen.tolist())
        following = next(wanted, None)
        for place, photo in enumerate(self._all()):
            if place == following:
                yield photo
                following = next(wanted, None)
                if following is None:
                    return

    def _all(self) -> Iterator[Photo]:
        for file in self.files:
            yield Photo(file.relative.as_posix(), file.path)
        for table in self.tables:
            row = 0
            for batch in parquet_batches(table, ["image"]):
                for cell in batch["image"]:
                    yield Photo(f"{table.name}:{row}", encoded_image(cell))
                    row += 1


def _size(path: Path) -> int | None:
    """Bytes of a file; None where that is not to be had, as of a link that leads nowhere."""
    try:
        return path.stat().st_size
    except OSError:
        return None
