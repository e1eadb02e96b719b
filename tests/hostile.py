"""What tests of faults share: files that somebody made to do harm, or a disk damaged, and a machine that runs out."""

from __future__ import annotations

import copy
import json
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# FUZZ_EXAMPLES=20000 pytest -n0 -k hostile looks for minutes instead of seconds.
few = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "20")),
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)
"""A number of examples that takes a second a test; the same ones in every run."""

_NUMBERS = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\x80", b"-1", b"99999999999"]


@st.composite
def damaged(draw: st.DrawFn, contents: list[bytes]) -> bytes:
    """One of `contents` cut, flipped, spliced, repeated, or with a number of a header written over."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=300))
    content = bytearray(draw(st.sampled_from(contents)))
    for _ in range(draw(st.integers(1, 4))):
        # Most formats keep what matters at their beginning.
        limit = draw(st.sampled_from([40, 600, len(content)]))
        place = draw(st.integers(0, max(0, min(limit, len(content)) - 1)))
        end = min(len(content), place + draw(st.integers(1, 64)))
        kind = draw(st.sampled_from(["cut", "flip", "number", "insert", "repeat", "remove", "swap"]))
        if kind == "cut":
            del content[place:]
        elif kind == "flip" and content:
            content[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "number":
            number = draw(st.sampled_from(_NUMBERS))
            content[place : place + len(number)] = number
        elif kind == "insert":
            content[place:place] = draw(st.binary(max_size=20))
        elif kind == "repeat":
            content[place:place] = content[place:end] * draw(st.sampled_from([1, 3, 50]))
        elif kind == "remove":
            del content[place:end]
        elif kind == "swap":
            content[place:end] = draw(st.sampled_from(contents))[place:end]
    return bytes(content)


HOSTILE = [
    *(None, True, False, 0, 1, -1, 0.5, 10**9, 2**31, 2**63, -(2**64), 10**400, 1e308, float("inf"), float("nan")),
    *("", "\0", "a/../../b", "/etc/passwd", "n" * 300, "\ud800", "ä", "1", "nan", [], {}, [[]], [None], {"a": 1}),
]
"""Values that no reader expects where they stand."""
RAW = [
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"1" * 5000,
    b"1e400",
    b"NaN",
    b'"\\ud800"',
    b"\xff\xfe",
    b'{"a": 1, "a": [2]}',
]
"""JSON that is too deep, too long, too large, or not in UTF-8."""
RAW_HERE = "here comes one of them"


@st.composite
def changed(draw: st.DrawFn, records: list[Any]) -> bytes:
    """JSON of one of `records`, a few of whose entries are something else, absent, or there twice."""
    # Wrapped, so that it may be replaced as a whole.
    value = [copy.deepcopy(draw(st.sampled_from(records)))]
    raw = draw(st.sampled_from(RAW))
    for _ in range(draw(st.integers(1, 3))):
        parent, key = draw(st.sampled_from(_places(value)))
        kind = draw(st.sampled_from(["replace", "replace", "remove", "double", "raw"]))
        if kind == "remove" and parent is not value:
            del parent[key]
        elif kind == "double" and isinstance(parent, list) and parent is not value:
            parent.append(copy.deepcopy(parent[key]))
        else:
            parent[key] = RAW_HERE if kind == "raw" else copy.deepcopy(draw(st.sampled_from(HOSTILE)))
    return json.dumps(value[0]).encode().replace(json.dumps(RAW_HERE).encode(), raw)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """(container, key) of everything in a value."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in _places(value[key])]


def refused_by_name(read: Callable[[], Any], errors: type[Exception], *names: str | Path) -> Any:
    """What `read` returns; None where it raises one of `errors`, which must tell one of `names`. Nothing else may."""
    try:
        return read()
    except errors as error:
        if not any(str(name) in str(error) for name in names):
            raise AssertionError(f"names none of {names}") from error
        return None


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """No file may grow beyond `limit` bytes: the system itself refuses to write on, as on a full disk, whatever library
    asks. (Its error is "File too large" then; a disk that is really full takes rights that a test does not have.)"""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def little_memory(gigabytes: float) -> Iterator[None]:
    """This process gets no more memory than that beyond what it has."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + int(gigabytes * 2**30), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
