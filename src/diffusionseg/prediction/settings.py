"""Configurations to JSON and back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, TypeVar, get_type_hints

Config = TypeVar("Config")


def to_json(config: Any) -> dict[str, Any]:
    """A frozen dataclass, nested ones included, as what `json.loads` would give back (tuples become lists)."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return plain


def from_json(cls: type[Config], values: Mapping[str, Any]) -> Config:
    """The inverse of `to_json`; missing fields take their defaults.

    Raises ValueError naming fields that `cls` does not have, as a file of a newer version may hold.
    """
    hints = get_type_hints(cls)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise ValueError(f"{cls.__name__} has no {', '.join(unknown)}; written by a newer version?")
    fields = {}
    for name, value in values.items():
        if dataclasses.is_dataclass(hints[name]) and isinstance(hints[name], type):
            value = from_json(hints[name], value)
        fields[name] = tuple(value) if isinstance(value, list) else value
    return cls(**fields)


def differing(first: Mapping[str, Any], second: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Dotted names of the entries in which two nested JSON objects differ, sorted."""
    names = []
    for key in sorted(set(first) | set(second)):
        one, other = first.get(key), second.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            names += differing(one, other, f"{prefix}{key}.")
        elif one != other or (key in first) != (key in second):
            names.append(prefix + key)
    return names
