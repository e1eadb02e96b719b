"""Files that several processes, perhaps on several machines, might want to write: one of them does.

A claim saves work that would be done twice; it guards nothing, since what is written is whole and the same whoever
writes it.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LEASE = 60.0
"""Seconds after which a claim that nobody renews is void. Its owner renews it four times as often."""


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Whether this process may write `path` until the block ends; False while another one that is alive may."""
    path.parent.mkdir(parents=True, exist_ok=True)
    claim = claim_path(path)
    if not (_create(claim) or (_void(claim) and _create(claim))):
        yield False
        return
    over = threading.Event()
    keeper = threading.Thread(target=_renew, args=(claim, over), daemon=True)
    keeper.start()
    try:
        yield True
    finally:
        over.set()
        keeper.join()
        claim.unlink(missing_ok=True)


def claim_path(path: Path) -> Path:
    """Where the claim on `path` lies: beside it, hidden."""
    return path.with_name(f".{path.name}.claim")


def _create(claim: Path) -> bool:
    try:
        with claim.open("x") as file:
            json.dump({"host": socket.gethostname(), "process": os.getpid()}, file)
    except FileExistsError:
        return False
    except OSError as error:
        # Of a full disk: what is there of the claim would keep everybody off for a minute.
        claim.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(claim)) from error
    return True


def _renew(claim: Path, over: threading.Event) -> None:
    while not over.wait(LEASE / 4):
        try:
            os.utime(claim)
        except OSError:
            # Taken over, or out of reach for now: the work goes on, at worst twice.
            continue


def _void(claim: Path) -> bool:
    """Whether a claim's owner is gone; the claim is then removed."""
    try:
        content, renewed = claim.read_text(), claim.stat().st_mtime
    except FileNotFoundError:
        return True
    if not _dead(content) and _now(claim.parent) - renewed < LEASE:
        return False
    claim.unlink(missing_ok=True)
    return True


def _dead(owner: str) -> bool:
    """Whether a claim's owner is known to be gone, as only a process of this machine is."""
    try:
        known = json.loads(owner)
        return bool(known["host"] == socket.gethostname()) and not _alive(int(known["process"]))
    except (ValueError, TypeError, KeyError):
        # Being written just now, or damaged.
        return False


def _alive(process: int) -> bool:
    if os.name != "posix":
        # Signal 0 would end it there.
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _now(folder: Path) -> float:
    """The time by the clock that the folder's file system goes by, which may be another machine's."""
    probe = folder / f".{secrets.token_hex(8)}.tmp"
    try:
        probe.touch()
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)
