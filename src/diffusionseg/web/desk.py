"""One thread that works for many clients: in turn, no more than so many at once, none for ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Result = TypeVar("Result")


class Full(Exception):
    """Everybody who may wait is waiting."""


class Desk:
    """Runs functions one after the other in a thread of its own.

    One thread for all, on one core of a CPU: a photograph that is alone in its U-Net call, as `predict` has it, gives
    the same bits whoever else is waiting.
    """

    def __init__(self, name: str, places: int) -> None:
        self._pool = ThreadPoolExecutor(1, name, initializer=lambda: torch.set_num_threads(1))
        self._lock = threading.Lock()
        self._places = places
        self._taken = 0

    @property
    def taken(self) -> int:
        """Clients that are being served or wait."""
        return self._taken

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place; raises Full where none is free."""
        with self._lock:
            if self._taken >= self._places:
                raise Full
            self._taken += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken -= 1

    async def work(self, function: Callable[[], Result]) -> Result:
        """Run a function, for a client that holds a place. What was cancelled before its turn is never run."""
        return await asyncio.wrap_future(self._pool.submit(function))

    def call(self, function: Callable[[], Result], timeout: float) -> Result:
        """Take a place, run a function and wait for it. Raises Full, or TimeoutError after `timeout` seconds."""
        with self.place():
            future = self._pool.submit(function)
            try:
                return future.result(timeout)
            finally:
                future.cancel()

    def close(self) -> None:
        """Run nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
