"""Units that are still to be done."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from itertools import islice
from typing import Any

from diffusionseg.engine.contract import Failure, WorkerLost


class Backlog:
    """Units in order, each asked for when its turn comes, and how often each was begun. Units are hashable."""

    def __init__(self, units: Iterable[Any], tries: int) -> None:
        """Each unit may lose `tries` workers, at least 1, before it is given up."""
        self._fresh = iter(units)
        self._first: deque[Any] = deque()
        self._later: deque[Any] = deque()
        self._lost: Counter[Any] = Counter()
        self.tries = tries

    def __bool__(self) -> bool:
        if not self._first:
            self._first.extend(islice(self._fresh, 1))
        return bool(self._first or self._later)

    def take(self) -> Any:
        """The next unit, where there is one."""
        return self._first.popleft() if self and self._first else self._later.popleft()

    def put_back(self, unit: Any) -> None:
        """A unit that somebody else has in hand: after all others."""
        self._later.append(unit)

    def lost(self, unit: Any, why: str) -> Failure | None:
        """A worker was lost over a unit: None when it is to be tried again, before others, else its failure."""
        self._lost[unit] += 1
        if self._lost[unit] < self.tries:
            self._first.appendleft(unit)
            return None
        return Failure(WorkerLost(f"{self._lost[unit]} workers were lost over it, the last: {why}"))
