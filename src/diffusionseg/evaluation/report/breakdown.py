"""Means by how large the object is, and by whether it reaches the border of the image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

SHARES = {"under 5 %": 0.05, "5 to 20 %": 0.2, "20 to 50 %": 0.5, "50 % and more": np.inf}
"""Group and the share of the image, 0 to 1, that its objects stay below."""


class Seen(Protocol):
    """What a record of an image must tell."""

    @property
    def share(self) -> float:
        """Share of the image that is object."""

    @property
    def touches_border(self) -> bool:
        """Whether the object reaches the border."""


def breakdown(records: Sequence[Any], measures: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
    """`share` and `border`: groups that hold an image, each with `group`, `images` and the mean of every measure.

    `measures` says by name which field of a record it averages. Every image is in one group of each kind.
    """
    return {
        "share": _groups(records, measures, _share, ["no object", *SHARES]),
        "border": _groups(records, measures, _border, ["reaches the border", "does not"]),
    }


def _groups(
    records: Sequence[Any], measures: Mapping[str, str], group_of: Callable[[Seen], str], names: Sequence[str]
) -> list[dict[str, Any]]:
    members: dict[str, list[Any]] = {name: [] for name in names}
    for record in records:
        members[group_of(record)].append(record)
    return [
        {
            "group": name,
            "images": len(group),
            **{measure: float(np.mean([getattr(r, field) for r in group])) for measure, field in measures.items()},
        }
        for name, group in members.items()
        if group
    ]


def _share(record: Seen) -> str:
    if record.share == 0:
        return "no object"
    return next(name for name, limit in SHARES.items() if record.share < limit)


def _border(record: Seen) -> str:
    return "reaches the border" if record.touches_border else "does not"
