"""Timing several things fairly: they take turns, so that a slow minute of the machine counts for all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Seconds of several runs of one thing, in the order of the rounds."""

    seconds: tuple[float, ...]
    """One a round, at least one."""

    @property
    def median(self) -> float:
        """Middle of the rounds, in seconds."""
        return statistics.median(self.seconds)

    def times(self, other: Timing) -> float:
        """How many times as long as another: the median of the rounds' ratios, each of neighbours in time."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.seconds, other.seconds, strict=True))

    def spread(self, unit: float = 1e-3) -> str:
        """`median (least to most)` in units of so many seconds."""
        middle, least, most = (f"{v / unit:.3g}" for v in (self.median, min(self.seconds), max(self.seconds)))
        return f"{middle} ({least} to {most})"


def take_turns(
    work: Mapping[str, Callable[[], object]], rounds: int, finish: Callable[[], object] = lambda: None
) -> dict[str, Timing]:
    """Run each piece of `work` once a round, `rounds` times after one round to warm up; its times by name.

    `finish` waits for what a device has been told to do, and its time counts.
    """
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, got {rounds}")
    taken: dict[str, list[float]] = {name: [] for name in work}
    for number in range(rounds + 1):
        for name, do in work.items():
            began = time.perf_counter()
            do()
            finish()
            if number:
                taken[name].append(time.perf_counter() - began)
    return {name: Timing(tuple(values)) for name, values in taken.items()}
