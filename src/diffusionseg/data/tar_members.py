"""Where the files of a plain tar archive lie, for archives from anywhere.

Only what `tarfile` writes as USTAR for regular files of short names is read. Python's own reader follows extensions
(links, sparse files, PAX and GNU headers), whose sizes can make it loop, recurse or ask for any amount of memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

BLOCK = 512
"""Bytes of a header, and what contents are padded to."""
REGULAR = (b"0", b"\0")
"""Types of an ordinary file."""


@dataclass(frozen=True)
class TarMember:
    """One entry of an archive."""

    name: str
    """As stored, with characters that are not ASCII escaped."""
    regular: bool
    """Whether it is an ordinary file, and no link, folder, device or extension."""
    offset: int
    """Where its content begins, in bytes."""
    size: int
    """Bytes of its content as claimed, at least 0."""


def tar_members(file: BinaryIO) -> Iterator[TarMember]:
    """The entries of an archive from where the file stands. Raises ValueError saying what is wrong with it.

    That a content is as long as its header says is for whoever reads it to see.
    """
    while True:
        header = file.read(BLOCK)
        if header == bytes(BLOCK):
            return
        if len(header) < BLOCK:
            raise ValueError("unexpected end of data")
        # The checksum counts its own field as spaces.
        if _octal(header[148:156]) != sum(header) - sum(header[148:156]) + 8 * ord(" "):
            raise ValueError("bad checksum of a header")
        prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
        name = _text(header[:100])
        member = TarMember(
            f"{prefix}/{name}" if prefix else name, header[156:157] in REGULAR, file.tell(), _size(header[124:136])
        )
        yield member
        file.seek(member.offset + -(-member.size // BLOCK) * BLOCK)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("ascii", errors="backslashreplace")


def _size(field: bytes) -> int:
    # GNU's form of what octal digits cannot hold.
    return int.from_bytes(field[1:]) if field[0] == 0x80 else _octal(field)


def _octal(field: bytes) -> int:
    digits = field.strip(b" \0") or b"0"
    if not set(digits) <= set(b"01234567"):
        raise ValueError("bad number in a header")
    return int(digits, 8)
