"""manifest.json: what a synthetic set is, so that a later run goes on with the same set or refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from diffusionseg.data.atomic import atomic_write
from diffusionseg.data.json_files import json_bytes, read_json_object

_ABSENT = object()


class ManifestMismatch(ValueError):
    """A folder that holds a set made in another way."""


def write_manifest(directory: Path, manifest: dict[str, Any], *, replace: bool = True) -> None:
    """Write DIR/manifest.json atomically; without `replace` only where there is none, also if another process just
    wrote it."""
    atomic_write(directory / "manifest.json", json_bytes(manifest), replace=replace)


def read_manifest(directory: Path) -> dict[str, Any]:
    """Read DIR/manifest.json; raises ValueError naming it when it is missing or damaged."""
    path = directory / "manifest.json"
    manifest = read_json_object(path)
    for part in ("set", "made_with", "result"):
        if not isinstance(manifest.get(part, {}), dict):
            raise ValueError(f"{path}: its entry {part} is no JSON object; is it the manifest of a set?")
    return manifest


def check_manifest(existing: dict[str, Any], wanted: dict[str, Any], directory: Path) -> None:
    """Raise ManifestMismatch naming every entry in which two set descriptions differ, with both values.

    `wanted` may hold what JSON turns into something else, such as tuples.
    """
    differences = _differences(existing, json.loads(json.dumps(wanted)))
    if differences:
        lines = "; ".join(f"{key} is {_shown(old)}, asked for {_shown(new)}" for key, old, new in differences)
        raise ManifestMismatch(
            f"{directory}: holds another set ({lines}); choose another --out, or --overwrite to start again"
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
