"""Results of an evaluation as plain values for JSON."""

from __future__ import annotations

from typing import Any

from diffusionseg.evaluation.intervals import Bootstrap, paired_difference
from diffusionseg.evaluation.parts import MEASURES, Part
from diffusionseg.evaluation.protocols import PYSOD

SCHEMA = 1
"""Version of the results: raised when a key is taken away or means something else, not when one is added."""
LEVEL = 0.95
"""Level of the confidence intervals."""


def saliency_results(part: Part, missing: int, *, intervals: bool) -> dict[str, Any]:
    """The first protocol's numbers, `missing` and `resized`; under `protocols` all where there are several.

    With `curves`, `measures` and `intervals` where they are wanted.
    """
    bootstrap = part.bootstrap if intervals else None
    first = part.accumulators[0]
    values: dict[str, Any] = {"schema": SCHEMA, **first.result(), "missing": missing, "resized": part.resized}
    values |= interval_results(bootstrap, first.protocol.name)
    if len(part.accumulators) > 1:
        values["protocols"] = {
            a.protocol.name: {
                **{key: value for key, value in a.result().items() if key in ("acc", "iou", "max_f")},
                **interval_results(bootstrap, a.protocol.name),
                "definition": a.protocol.definition(),
            }
            for a in part.accumulators
        }
    if part.wanted.curves:
        values["curves"] = part.curves.result(first.protocol)
    if part.wanted.measures:
        further = interval_results(bootstrap, MEASURES)
        values["measures"] = {"protocol": PYSOD.name, **part.measures.result(), **further}
    return values


def interval_results(bootstrap: Bootstrap | None, group: str) -> dict[str, Any]:
    """`intervals` by name of a group's measures, lower and upper end; nothing without a bootstrap."""
    if bootstrap is None:
        return {}
    ends = {_said(name): list(bootstrap.interval(name, LEVEL)) for name in bootstrap.sums if _group(name) == group}
    return {"intervals": {"level": LEVEL, "replicates": bootstrap.replicates, "seed": bootstrap.seed, **ends}}


def difference_results(one: Bootstrap, other: Bootstrap) -> dict[str, dict[str, Any]]:
    """By group and name of the measure: the other's value, the difference to it, its interval and p."""
    values: dict[str, dict[str, Any]] = {}
    for name in one.sums:
        paired = paired_difference(one, other, name, LEVEL)
        values.setdefault(_group(name), {})[_said(name)] = {
            "value": float(other.statistic(name)[0]),
            "difference": paired.difference,
            "interval": [paired.low, paired.high],
            "p": paired.p,
        }
    return values


def _group(name: str) -> str:
    return name.split()[0]


def _said(name: str) -> str:
    """Name of a measure as the results have it: the statistic of a curve is the maximum of its mean."""
    measure = name.split()[1]
    return f"{measure.removesuffix('_curve')}_max" if measure.endswith("_curve") else measure
