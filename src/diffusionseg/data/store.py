"""What a set needs of the place that it lies in, whether that is a folder or a part of an object store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any

from diffusionseg.data.json_files import parse_object


class Store(ABC):
    """Files by name in one place, without sub-folders. Each is whole or not there, however its writer ended.

    Whatever fails is an OSError that names the file.
    """

    local: Path | None = None
    """The folder, where it is one of this machine."""
    one_process: bool = False
    """Whether other processes see something else under its name."""

    @abstractmethod
    def __str__(self) -> str:
        """The place as its user wrote it."""

    @abstractmethod
    def address(self, name: str) -> str:
        """A file's path or URL, for messages."""

    @abstractmethod
    def exists(self) -> bool:
        """Whether there is such a place."""

    @abstractmethod
    def names(self) -> list[str]:
        """All names there, hidden ones too, in order; none where there is no such place."""

    @abstractmethod
    def has(self, name: str) -> bool:
        """Whether a file is there."""

    @abstractmethod
    def modified(self, name: str) -> float:
        """When a file was written, in seconds since 1970 by the clock of the place."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """A file's content."""

    @abstractmethod
    def open(self, name: str) -> BufferedReader | BytesIO:
        """A file to read from at any position."""

    @abstractmethod
    def write(self, name: str, content: bytes, *, replace: bool = True) -> None:
        """Write a file, creating the place; without `replace` only where there is none of that name."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""

    @abstractmethod
    def claimed(self, name: str) -> AbstractContextManager[bool]:
        """Whether this process may write a file until the block ends; False while another one that is alive may."""

    def remove_leftovers(self, name: str) -> None:  # noqa: B027 - most places have none
        """Delete what killed writers of a file left; nobody else may be writing it."""

    def absolute(self) -> Store:
        """The same place for processes that stand in other folders."""
        return self

    def read_json(self, name: str) -> dict[str, Any]:
        """The object a file holds. Raises ValueError naming a file that is missing, damaged or holds something else."""
        address = self.address(name)
        try:
            content = self.read(name)
        except OSError as error:
            raise ValueError(f"{address}: {error.strerror or error}") from error
        return parse_object(content, address)
