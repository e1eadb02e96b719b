"""Pillow without its warnings and without its leniency, for as long as a picture is read."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from PIL import ImageFile

_lock = threading.Lock()
_readers = 0
_restore = ExitStack()


@contextmanager
def strict_pillow() -> Iterator[None]:
    """Silence Pillow's warnings and make it refuse truncated files; undone when the last thread is through.

    Both are states of the whole process, and `warnings.catch_warnings` used in several threads at once can leave its
    filters behind for good; so the first reader sets them and the last one puts them back.
    """
    global _readers
    with _lock:
        if _readers == 0:
            _set()
        _readers += 1
    try:
        yield
    finally:
        with _lock:
            _readers -= 1
            if _readers == 0:
                _restore.close()


def _set() -> None:
    _restore.enter_context(warnings.catch_warnings())
    warnings.filterwarnings("ignore", module=r"PIL(\.|$)")
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        # Somebody else's choice, and a grey lower half would pass as a photograph here.
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        _restore.callback(setattr, ImageFile, "LOAD_TRUNCATED_IMAGES", True)
