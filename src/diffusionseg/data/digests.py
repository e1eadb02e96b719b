"""Sets of millions of strings in little memory."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

_UNSORTED = 1 << 16
"""Digests that are kept apart until they are sorted in."""


def digest(text: str) -> int:
    """64 bits of a string."""
    # Names of files need not be valid text.
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest(), "little")


class DigestSet:
    """Strings, of which eight bytes each are remembered.

    One that is not there passes for one that is in a single one of 37 million sets of a million strings.
    """

    def __init__(self) -> None:
        self._sorted: NDArray[np.uint64] = np.empty(0, np.uint64)
        self._fresh: set[int] = set()

    def add(self, text: str) -> bool:
        """Remember a string; whether it was not there before."""
        value = digest(text)
        place = int(np.searchsorted(self._sorted, np.uint64(value)))
        if value in self._fresh or (place < len(self._sorted) and int(self._sorted[place]) == value):
            return False
        self._fresh.add(value)
        if len(self._fresh) == _UNSORTED:
            fresh = np.fromiter(self._fresh, np.uint64, len(self._fresh))
            self._sorted = np.sort(np.concatenate([self._sorted, fresh]))
            self._fresh.clear()
        return True
