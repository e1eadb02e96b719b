"""What can be told of any run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

RECENT = 64
"""Files that the rate is taken from, the newest ones."""


@dataclass(frozen=True)
class Standing:
    """How far the run behind a folder is."""

    folder: str
    """The folder."""
    kind: str
    """`synthetic set`, `pseudo-labelled set`, `training run` or `predictions`."""
    unit: str
    """What is counted: `shards`, `steps`, `steps of its encoder` or `photographs`."""
    done: int
    """Units that are done."""
    total: int | None
    """Units of the whole run; None where the folder does not say."""
    in_hand: int = 0
    """Units that a process has claimed."""
    per_minute: float | None = None
    """Units a minute lately, pauses included; None where there is too little to tell."""
    samples: int | None = None
    """Pairs so far, of a set."""
    rejects: dict[str, int] = field(default_factory=dict)
    """Images left out so far, by reason."""
    failed: tuple[str, ...] = ()
    """What failed or is damaged, and why."""
    resume: str | None = None
    """The command that goes on with the run, or which one it is; None where it is finished."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do, as far as the folder says."""
        return self.resume is None

    @property
    def minutes_left(self) -> float | None:
        """At the rate so far; None where it cannot be told."""
        if self.finished or self.total is None or not self.per_minute:
            return None
        return (self.total - self.done) / self.per_minute


def rate(written: Iterable[float], begun: float) -> float | None:
    """Files a minute by the times of the newest ones, or of all since `begun` where they are few; times in seconds."""
    times = sorted(written)[-RECENT - 1 :]
    # A finished run writes its manifest, which says when it began, once more; the first file then has to do.
    if 0 < len(times) <= RECENT and begun < times[0]:
        times.insert(0, begun)
    if len(times) < 2 or times[-1] <= times[0]:
        return None
    return (len(times) - 1) / (times[-1] - times[0]) * 60
