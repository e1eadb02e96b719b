"""Results of an evaluation as lines for people: the protocol stands beside every number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def lines(values: Mapping[str, Any]) -> Iterator[str]:
    """One line for the numbers of every protocol, then of further measures and of the paired test."""
    several = values.get("protocols")
    heads = {key: values[key] for key in ("images", "missing", "resized") if key in values}
    if several is None:
        named = {k: v for k, v in values.items() if k not in heads and k not in ("schema", "protocol")}
        yield _line(heads | named, values.get("intervals", {}), values["protocol"])
    else:
        yield _line(heads, {}, "")
        for protocol, numbers in several.items():
            yield _line(numbers, numbers.get("intervals", {}), protocol)
    if further := values.get("measures"):
        yield _line(further, further.get("intervals", {}), further["protocol"])
    against = values.get("against", {})
    for protocol, measures in against.items():
        if protocol == "predictions":
            yield f"against {measures}:"
            continue
        for name, m in measures.items():
            low, high = m["interval"]
            difference = f"difference {m['difference']:+.4f} [{low:+.4f}, {high:+.4f}], p {m['p']:.3f}"
            yield f"  {name} {m['value']:.4f}, {difference}  ({'pysod' if protocol == 'measures' else protocol})"


def _line(numbers: Mapping[str, Any], intervals: Mapping[str, Any], protocol: str) -> str:
    said = [_number(name, value, intervals.get(name)) for name, value in numbers.items() if _is_number(value)]
    return "  ".join([*said, f"({protocol})"] if protocol else said)


def _number(name: str, value: float | None, interval: list[float] | None) -> str:
    number = "none" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
    return f"{name} {number}" + (f" [{interval[0]:.4f}, {interval[1]:.4f}]" if interval else "")


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
