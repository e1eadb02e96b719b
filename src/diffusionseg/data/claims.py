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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LEASE = 60.0
"""Seconds after which a claim that nobody renews is void. Its owner renews it four times as often."""


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Whether this process may write `path` until the block ends; False while another one that is alive may."""
    path.parent.mkdir(parents=True, exist_ok=True)
    claim = claim_path(path)

    def take() -> bool:
        return _create(claim) or (_void(claim) and _create(claim))

    with kept(take, lambda: os.utime(claim), lambda: claim.unlink(missing_ok=True)) as mine:
        yield mine


def claim_path(path: Path) -> Path:
    """Where the claim on `path` lies: beside it, hidden."""
    return path.with_name(claim_name(path.name))


def claim_name(name: str) -> str:
    """Name of the claim on the file `name`."""
    return f".{name}.claim"


@contextmanager
def kept(take: Callable[[], bool], renew: Callable[[], None], drop: Callable[[], None]) -> Iterator[bool]:
    """Whether a claim could be taken; it is then renewed until the block ends, and dropped."""
    if not take():
        yield False
        return
    over = threading.Event()
    keeper = threading.Thread(target=_renew, args=(renew, over), daemon=True)
    keeper.start()
    try:
        yield True
    finally:
        over.set()
        keeper.join()
        drop()


def owner() -> dict[str, Any]:
    """This process, as a claim names it."""
    return {"host": socket.gethostname(), "process": os.getpid()}


def dead(claim: str | bytes) -> bool:
    """Whether the owner that a claim names is known to be gone, as only a process of this machine is."""
    try:
        known = json.loads(claim)
        return bool(known["host"] == socket.gethostname()) and not _alive(int(known["process"]))
    except (ValueError, TypeError, KeyError):
        # Being written just now, or damaged.
        return False


def lapsed(age: float) -> bool:
    """Whether a claim last renewed `age` seconds ago is void."""
    return age >= LEASE


def _renew(renew: Callable[[], None], over: threading.Event) -> None:
    while not over.wait(LEASE / 4):
        try:
            renew()
        except OSError:
            # Taken over, or out of reach for now: the work goes on, at worst twice.
            continue


def _create(claim: Path) -> bool:
    try:
        with claim.open("x") as file:
            json.dump(owner(), file)
    except FileExistsError:
        return False
    except OSError as error:
        # Of a full disk: what is there of the claim would keep everybody off for a minute.
        claim.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(claim)) from error
    return True


def _void(claim: Path) -> bool:
    """Whether a claim's owner is gone; the claim is then removed."""
    try:
        content, renewed = claim.read_text(), claim.stat().st_mtime
    except FileNotFoundError:
        return True
    if not dead(content) and not lapsed(_now(claim.parent) - renewed):
        return False
    claim.unlink(missing_ok=True)
    return True


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
