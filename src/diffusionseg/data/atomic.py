"""Files that are either whole or not there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def atomic_write(path: Path, content: bytes, *, replace: bool = True) -> None:
    """Write `content` to `path`, creating its folder; a crash leaves the old file or none, never half of one.

    Without `replace` a file that is already there stays, whoever wrote it and however shortly before. An OSError (disk
    full, permission denied) names `path`.
    """
    with errors_of(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _gone_on_error(path.with_name(f"{_prefix(path)}{secrets.token_hex(4)}.tmp")) as temporary:
            # O_EXCL through "x": never another writer's file. Unlike mkstemp this leaves permissions to the umask.
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                temporary.replace(path)
            else:
                _place(temporary, path)
        _sync_folder(path.parent)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write what becomes `path` at the end, its folder made; an error leaves nothing new there.

    For what can be made again: nothing is forced to the disk, and only one process may write a given file, which finds
    what a killed one left under the same name. An OSError names `path`.
    """
    with errors_of(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _gone_on_error(path.with_name(f".{path.name}.tmp")) as temporary:
            yield temporary
            temporary.replace(path)


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Make an OSError within it name `path`: that of a full disk names nothing, that of a temporary file only that.

    One that names a file elsewhere is left as it is.
    """
    try:
        yield
    except OSError as error:
        elsewhere = isinstance(error.filename, str) and not Path(error.filename).is_relative_to(path.parent)
        if error.errno is None or elsewhere:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def _gone_on_error(temporary: Path) -> Iterator[Path]:
    try:
        yield temporary
    except BaseException:
        # In a folder that cannot be written to, the first error is the one to tell.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def remove_leftovers(path: Path) -> None:
    """Delete temporary files that killed writers of `path` left; nobody else may be writing it."""
    prefix = _prefix(path)
    if not path.parent.is_dir():
        return
    for other in path.parent.iterdir():
        if other.name.startswith(prefix) and other.name.endswith(".tmp"):
            other.unlink(missing_ok=True)


def _place(temporary: Path, path: Path) -> None:
    """Give a file its name where no other has it."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        pass
    except OSError:
        # No hard links on this file system: a look is the best there is.
        if not path.exists():
            temporary.replace(path)
    temporary.unlink(missing_ok=True)


def _prefix(path: Path) -> str:
    # Shortened, since file systems allow 255 bytes for a name.
    return f".{path.name[:40]}."


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut, where the system can: a later file must not be there without this one."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        # Some network file systems refuse to sync a folder; the content itself is safe.
        pass
    finally:
        os.close(handle)
