"""Sets in an object store, through fsspec.

An object store puts an object as a whole or not at all, so nothing is written under another name first, and none of the
folder's tricks (renaming, syncing, hard links) is needed. Creation of an object only where there is none is exclusive
where the store offers it (S3, Google and Azure do); elsewhere a look has to do, and of two writers the last one wins,
with the same bytes. A claim holds the time at which it was last written, by its owner's clock; where clocks differ by
more than a lease, or two take over one claim at the same moment, work is done twice and nothing else happens.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO

from fsspec import AbstractFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from diffusionseg.data.claims import claim_name, dead, kept, lapsed, owner
from diffusionseg.data.store import Store

_NUMBERS = {FileNotFoundError: errno.ENOENT, FileExistsError: errno.EEXIST, PermissionError: errno.EACCES}


class ObjectStore(Store):
    """The objects below `url`, which are those below `root` of an fsspec file system."""

    def __init__(self, url: str, files: AbstractFileSystem, root: str) -> None:
        self.url, self._files, self._root = url.rstrip("/"), files, root.rstrip("/")
        self.one_process = isinstance(files, MemoryFileSystem)

    def __str__(self) -> str:
        return self.url

    def address(self, name: str) -> str:
        """The object's URL."""
        return f"{self.url}/{name}"

    def exists(self) -> bool:
        """Whether there is any object."""
        return bool(self.names())

    def names(self) -> list[str]:
        """Names of all objects right below the URL."""
        with _named(self.url):
            self._forget()
            try:
                found = self._files.ls(self._root, detail=False)
            except FileNotFoundError:
                return []
        return sorted(entry.rstrip("/").rpartition("/")[2] for entry in found)

    def has(self, name: str) -> bool:
        """Whether an object is there; what keeps this from being told is raised."""
        with _named(self.address(name)):
            self._forget()
            try:
                # Not `exists`, which takes a failing network for an answer.
                self._files.info(self._path(name))
            except FileNotFoundError:
                return False
        return True

    def modified(self, name: str) -> float:
        """When the object was put, by the store's clock."""
        with _named(self.address(name)):
            self._forget()
            return float(self._files.modified(self._path(name)).timestamp())

    def read(self, name: str) -> bytes:
        """The object, in one request."""
        with _named(self.address(name)):
            return bytes(self._files.cat_file(self._path(name)))

    def open(self, name: str) -> BytesIO:
        """The whole object in memory."""
        return BytesIO(self.read(name))

    def write(self, name: str, content: bytes, *, replace: bool = True) -> None:
        """Put an object; without `replace` only where there is none."""
        if not replace:
            self._create(name, content)
            return
        with _named(self.address(name)):
            self._files.pipe_file(self._path(name), content)

    def remove(self, name: str) -> None:
        """Delete an object, if it is there."""
        with _named(self.address(name)), suppress(FileNotFoundError):
            self._files.rm_file(self._path(name))

    @contextmanager
    def claimed(self, name: str) -> Iterator[bool]:
        """Whether this process may write `name`; the claim is an object beside it."""
        claim = claim_name(name)

        def take() -> bool:
            return self._create(claim, _stamp()) or (self._void(claim) and self._create(claim, _stamp()))

        def drop() -> None:
            # A claim that stays is void in a minute; work that is done must not fail over it.
            with suppress(OSError):
                self.remove(claim)

        with kept(take, lambda: self.write(claim, _stamp()), drop) as mine:
            yield mine

    def _create(self, name: str, content: bytes) -> bool:
        """Put an object where there is none; whether it was."""
        try:
            with _named(self.address(name)):
                self._files.pipe_file(self._path(name), content, mode="create")
        except OSError:
            # Stores say in many ways that it is there already, and some know no exclusive creation.
            if self.has(name):
                return False
            self.write(name, content)
        return True

    def _void(self, claim: str) -> bool:
        """Whether a claim's owner is gone; the claim is then removed."""
        try:
            content = self.read(claim)
        except FileNotFoundError:
            return True
        if not dead(content) and not lapsed(_age(content)):
            return False
        self.remove(claim)
        return True

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _forget(self) -> None:
        # Back ends remember listings, while other processes write.
        self._files.invalidate_cache(self._root)


def _stamp() -> bytes:
    return json.dumps({**owner(), "renewed": time.time()}).encode()


def _age(claim: bytes) -> float:
    """Seconds between a claim's last renewal and now; one from the future counts as one from the past."""
    try:
        return abs(time.time() - float(json.loads(claim)["renewed"]))
    except (ValueError, TypeError, KeyError):
        return float("inf")


@contextmanager
def _named(address: str) -> Iterator[None]:
    """Make every error an OSError that names the object: each back end has kinds of its own."""
    try:
        yield
    except Exception as error:
        number = next((number for kind, number in _NUMBERS.items() if isinstance(error, kind)), None)
        why = f"{type(error).__name__}: {error}" if number is None else f"{os.strerror(number)} ({error})"
        raise OSError(number or errno.EIO, why, address) from error
