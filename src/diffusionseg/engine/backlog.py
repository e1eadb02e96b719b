"""Units that are still to be done."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

from diffusionseg.engine.contract import Failure, WorkerLost


class Backlog:
    """Units in order, and how often each was begun. Units are hashable."""

    def __init__(self, units: Iterable[Any], tries: int) -> None:
        """Each unit may lose `tries` workers, at least 1, before it is given up."""
        self._waiting = deque(units)
        self._lost: Counter[Any] = Counter()
        self.tries = tries

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def take(self) -> Any:
        """The next unit."""
        return self._waiting.popleft()

    def put_back(self, unit: Any) -> None:
        """A unit that somebody else has in hand: after all others."""
        self._waiting.append(unit)

    def lost(self, unit: Any, why: str) -> Failure | None:
        """A worker was lost over a unit: None when it is to be tried again, before others, else its failure."""
        self._lost[unit] += 1
        if self._lost[unit] < self.tries:
            self._waiting.appendleft(unit)
            return None
        return Failure(WorkerLost(f"{self._lost[unit]} workers were lost over it, the last: {why}"))
