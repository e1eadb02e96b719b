"""manifest.json: what a synthetic set is, so that a later run goes on with the same set or refuses."""

from __future__ import annotations

import json
from typing import Any

from diffusionseg.data.json_files import json_bytes
from diffusionseg.data.where import Where, open_store

_ABSENT = object()


class ManifestMismatch(ValueError):
    """A folder that holds a set made in another way."""


def write_manifest(where: Where, manifest: dict[str, Any], *, replace: bool = True) -> None:
    """Write a set's manifest.json atomically; without `replace` only where there is none, also if another process just
    wrote it."""
    open_store(where).write("manifest.json", json_bytes(manifest), replace=replace)


def read_manifest(where: Where) -> dict[str, Any]:
    """Read a set's manifest.json; raises ValueError naming it when it is missing or damaged."""
    store = open_store(where)
    manifest = store.read_json("manifest.json")
    for part in ("set", "made_with", "result"):
        if not isinstance(manifest.get(part, {}), dict):
            address = store.address("manifest.json")
            raise ValueError(f"{address}: its entry {part} is no JSON object; is it the manifest of a set?")
    return manifest


def check_manifest(existing: dict[str, Any], wanted: dict[str, Any], where: Where) -> None:
    """Raise ManifestMismatch naming every entry in which two set descriptions differ, with both values.

    `wanted` may hold what JSON turns into something else, such as tuples.
    """
    differences = _differences(existing, json.loads(json.dumps(wanted)))
    if differences:
        lines = "; ".join(f"{key} is {_shown(old)}, asked for {_shown(new)}" for key, old, new in differences)
        raise ManifestMismatch(
            f"{where}: holds another set ({lines}); choose another --out, or --overwrite to start again"
        )


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[tuple[str, Any, Any]]:
    found = []
    for key in sorted(set(old) | set(new)):
        a, b = old.get(key, _ABSENT), new.get(key, _ABSENT)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{prefix}{key}.")
        elif a != b:
            found.append((prefix + key, a, b))
    return found


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
