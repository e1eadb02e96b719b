"""JSON objects on disk: one in a file, or one a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from diffusionseg.data.atomic import errors_of


def json_bytes(value: dict[str, Any]) -> bytes:
    """The same bytes for the same value, readable by people."""
    return encoded(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def encoded(text: str) -> bytes:
    """JSON as UTF-8. Names of files may hold bytes that are none, which become JSON's own escapes."""
    return text.encode(errors="backslashreplace")


def append_json_line(path: Path, value: dict[str, Any]) -> None:
    """Add one object as a line of its own, readable by others at once. An OSError names the file."""
    with errors_of(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(value) + "\n")


def read_json_object(path: Path) -> dict[str, Any]:
    """The object a file holds. Raises ValueError naming the file that is missing, damaged or holds something else."""
    return parse_object(_content(path), str(path))


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number from 1, object) of every line that is not blank. Raises ValueError with file and line number."""
    for number, line in enumerate(_content(path).split(b"\n"), 1):
        if line.strip():
            yield number, parse_object(line, f"{path}:{number}")


def parse_object(content: bytes, place: str) -> dict[str, Any]:
    """The object that `content` is. Raises ValueError, naming its `place`, when it is damaged or something else."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{place}: not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise ValueError(f"{place}: expected a JSON object")
    return value


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from error
