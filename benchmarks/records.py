"""What the benchmarks of speed keep: tables of several sides, measured in turn in one process."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from diffusionseg.bench import Timing


@dataclass(frozen=True)
class Table:
    """The same piece of work done by several sides."""

    title: str
    """What was done, on what."""
    unit: str
    """Of the values: `ms`, `s`, `photographs/s`, `MB`, …"""
    values: Mapping[str, Sequence[float]]
    """Of each side, one value a round."""
    first: str
    """The side that is 1."""
    aims: Mapping[str, float] = field(default_factory=dict)
    """What a side should reach: at most so many times the first one (at least, where more is better)."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """The same in the unit itself."""
    paired: bool = True
    """Whether the rounds of all sides belong together, so that a slow minute counts for all."""
    more_is_better: bool = False

    def ratio(self, name: str) -> float:
        """How many times the first side's value another one has: the median over the rounds where they are paired."""
        mine, theirs = self.values[name], self.values[self.first]
        if self.paired:
            return Timing(tuple(mine)).times(Timing(tuple(theirs)))
        return statistics.median(mine) / statistics.median(theirs)

    def reached(self, name: str) -> bool | None:
        """Whether a side reaches its aim and its limit; None where it has neither."""
        asked = [(self.ratio(name), self.aims.get(name)), (statistics.median(self.values[name]), self.limits.get(name))]
        reached = [(found >= aim if self.more_is_better else found <= aim) for found, aim in asked if aim is not None]
        return all(reached) if reached else None


def write_tables(path: Path, tables: Sequence[Table]) -> None:
    """Write them as JSON."""
    path.write_text(json.dumps([asdict(table) for table in tables], indent=1) + "\n", encoding="utf-8")


def read_tables(path: Path) -> list[Table]:
    """What `write_tables` wrote."""
    return [Table(**values) for values in json.loads(path.read_text(encoding="utf-8"))]
