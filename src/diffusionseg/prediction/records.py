"""`predictions.jsonl`: one line is added for each photograph as it is done; the last line of a photograph counts."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np

from diffusionseg.data import digest

RECORDS = "predictions.jsonl"
Record = dict[str, Any]
"""A line: `image` and either what was found in it or `error`."""


def whole_lines(path: Path) -> Iterator[tuple[int, bytes, Record]]:
    """(offset, line, record) of every line of a file that is a record; none where there is no such file."""
    if not path.exists():
        return
    offset = 0
    with path.open("rb") as file:
        for line in file:
            record = _record(line)
            if record is not None:
                yield offset, line, record
            offset += len(line)


class RecordIndex:
    """The lines that a file had when this was made, found by their photographs; 16 bytes are held for each."""

    def __init__(self, path: Path, seen: Callable[[Record], None] = lambda _: None) -> None:
        """`seen` gets every record on the way."""
        digests, offsets = array("Q"), array("q")
        for offset, _, record in whole_lines(path):
            digests.append(digest(record["image"]))
            offsets.append(offset)
            seen(record)
        found = np.asarray(digests, np.uint64)
        # Stable, so that later lines of a photograph stay behind earlier ones.
        order = np.argsort(found, kind="stable")
        self._digests, self._offsets = found[order], np.asarray(offsets, np.int64)[order]
        self._file: IO[bytes] = path.open("rb") if len(order) else BytesIO()

    @property
    def doubled(self) -> bool:
        """Whether a photograph may have more than one line."""
        return bool((self._digests[1:] == self._digests[:-1]).any())

    def close(self) -> None:
        """Close the file; nothing can be looked up any more."""
        self._file.close()

    def last(self, image: str) -> Record | None:
        """The last record of a photograph, None where it has none."""
        found = self._find(image)
        return None if found is None else found[1]

    def is_last(self, offset: int, image: str) -> bool:
        """Whether no later line tells of the photograph of the line at `offset`."""
        found = self._find(image)
        return found is not None and found[0] == offset

    def _find(self, image: str) -> tuple[int, Record] | None:
        value = np.uint64(digest(image))
        low, high = (int(np.searchsorted(self._digests, value, side)) for side in ("left", "right"))
        for offset in self._offsets[low:high][::-1].tolist():
            self._file.seek(offset)
            record = _record(self._file.readline())
            # Two photographs might share a digest.
            if record is not None and record["image"] == image:
                return offset, record
        return None


def end_last_line(path: Path) -> None:
    """Take away half a line that a killed run left, so that the next line is not joined to it."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        tail = b""
        while end and not tail.count(b"\n"):
            start = max(0, end - 65536)
            file.seek(start)
            tail, end = file.read(end - start) + tail, start
        rest = tail.rpartition(b"\n")[2]
        if rest and _record(rest) is not None:
            file.seek(0, os.SEEK_END)
            file.write(b"\n")
        elif rest:
            file.truncate(file.seek(0, os.SEEK_END) - len(rest))


def drop_superseded(path: Path) -> None:
    """Keep the last line of each photograph alone, in their order."""
    with closing(RecordIndex(path)) as index, written_anew(path) as file:
        for offset, line, record in whole_lines(path):
            if index.is_last(offset, record["image"]):
                file.write(line)


@contextmanager
def written_anew(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` once it is whole, where nobody else writes it: what a killed run leaves is
    written over by the next one."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _record(line: bytes) -> Record | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("image"), str) else None
