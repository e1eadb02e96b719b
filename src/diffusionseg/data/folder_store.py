"""Sets in a folder of this machine, or of a file system that several machines share."""

from __future__ import annotations

from contextlib import AbstractContextManager
from io import BufferedReader
from pathlib import Path

from diffusionseg.data.atomic import atomic_write, remove_leftovers
from diffusionseg.data.claims import claimed
from diffusionseg.data.store import Store


class FolderStore(Store):
    """A folder. Files are written under another name and then renamed; claims are files created exclusively."""

    def __init__(self, folder: Path) -> None:
        self.local: Path = folder

    def __str__(self) -> str:
        return str(self.local)

    def address(self, name: str) -> str:
        """The file's path."""
        return str(self.local / name)

    def exists(self) -> bool:
        """Whether the folder is there."""
        return self.local.is_dir()

    def names(self) -> list[str]:
        """All names in the folder."""
        return sorted(path.name for path in self.local.iterdir()) if self.exists() else []

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return (self.local / name).exists()

    def modified(self, name: str) -> float:
        """The file's modification time."""
        return (self.local / name).stat().st_mtime

    def read(self, name: str) -> bytes:
        """A file's content."""
        return (self.local / name).read_bytes()

    def open(self, name: str) -> BufferedReader:
        """The open file."""
        return (self.local / name).open("rb")

    def write(self, name: str, content: bytes, *, replace: bool = True) -> None:
        """Write atomically and durably, as `atomic_write` does."""
        atomic_write(self.local / name, content, replace=replace)

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""
        (self.local / name).unlink(missing_ok=True)

    def claimed(self, name: str) -> AbstractContextManager[bool]:
        """As `claims.claimed` says."""
        return claimed(self.local / name)

    def remove_leftovers(self, name: str) -> None:
        """Delete temporary files of killed writers."""
        remove_leftovers(self.local / name)

    def absolute(self) -> FolderStore:
        """The same folder by its absolute path."""
        return FolderStore(self.local.absolute())
