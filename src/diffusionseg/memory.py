"""When memory runs out: less at a time, down to one, and then an error that says what to do."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")
logger = logging.getLogger(__name__)


class OutOfMemory(MemoryError):
    """There is not enough memory for a single thing at a time; the message names the remedy."""


_SAID = ("out of memory", "can't allocate memory", "alloc_failed", "failed to allocate memory")
"""What errors say of it: PyTorch's of CUDA, MPS, the CPU, cuBLAS and cuDNN, and onnxruntime's."""


def ran_out(error: BaseException) -> bool:
    """Whether an error means that there was not enough memory, on whatever device."""
    if isinstance(error, MemoryError):
        return True
    # By their names and what they say, since the classes would have to be imported.
    if type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(said in str(error).lower() for said in _SAID)


def unless_out_of_memory(work: Callable[[], Result]) -> Result | None:
    """What `work` returns, or None where memory ran out; what it had taken is then given back."""
    try:
        return work()
    except Exception as error:
        if not ran_out(error):
            raise
    # Not within the clause above: the error holds all that was alive when it was raised.
    give_back()
    return None


def give_back() -> None:
    """Return memory that nothing uses any more to the device."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is None:
        return
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


class Room:
    """How many things are worked on at a time: at first as many as was asked for, half as many whenever that is too
    many. It never grows again, and the user is told each time that it shrinks."""

    def __init__(self, most: int, things: str, remedy: str) -> None:
        """`things` is what is counted, in the plural; `remedy` what to do where a single one is too much."""
        self.most, self.things, self.remedy = most, things, remedy

    def shrink(self, used: int) -> None:
        """Memory ran out with `used` at a time. Raises OutOfMemory where that was a single one."""
        if used <= 1:
            raise OutOfMemory(f"out of memory with one at a time ({self.things}); {self.remedy}")
        self.most = used // 2
        logger.warning("out of memory with %d %s at a time; going on with %d", used, self.things, self.most)
