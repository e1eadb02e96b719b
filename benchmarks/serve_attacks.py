"""Requests that were made to do harm, each of which a server must refuse with a reason."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from served import Server

BARE = {"Content-Type": "application/octet-stream"}
MB = 2**20
Request = tuple[str, str, bytes | None, dict[str, str]]
"""Method, path, body, headers."""


@dataclass
class Attacked:
    """What became of them."""

    refused: dict[str, int] = field(default_factory=dict)
    """Status by attack."""
    wrong: list[str] = field(default_factory=list)
    """Those that were not refused with a reason."""


def attacks() -> Iterator[tuple[str, Request]]:
    """Name and request of each."""

    def photograph(content: bytes, query: str = "", **headers: str) -> Request:
        return "POST", f"/api/predict{query}", content, {**BARE, **headers}

    yield "nothing", photograph(b"")
    yield "text", photograph(b"This is no photograph.\n" * 99)
    yield "bomb", photograph(_bomb())
    yield "half a photograph", photograph(_bomb()[:40])
    yield "too large", photograph(bytes(21 * MB))
    yield "says it is too large", photograph(b"x", **{"Content-Length": str(10**12)})
    yield "wrong type", photograph(b"x", **{"Content-Type": "text/html"})
    yield "compressed", photograph(zlib.compress(bytes(MB)), **{"Content-Encoding": "deflate"})
    yield "form without end", photograph(b"--a\r\n" * 999, **{"Content-Type": "multipart/form-data; boundary=a"})
    yield "model by path", photograph(b"x", "?model=../../etc/passwd")
    yield "model by address", photograph(b"x", "?model=https://example.org/model")
    yield "deep JSON", ("POST", "/api/synth", b"[" * 200_000, {"Content-Type": "application/json"})
    yield "large JSON", ("POST", "/api/synth", b" " * (MB + 1), {"Content-Type": "application/json"})
    yield "name bent to this machine", ("GET", "/api/models", None, {"Host": "evil.example"})
    yield "another site's page", photograph(b"x", Origin="http://evil.example")
    for path in (
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/api/../../etc/passwd",
        "/api/synth/..%2f..%2fetc%2fpasswd",
        "/api/synth/%00/result",
        "/static/../../../etc/passwd",
        "/assets/..%2f..%2fconfig.json",
        "/page/photos/..%2f..%2fetc/passwd",
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/proxy=http://example.org/",
    ):
        yield path, ("GET", path, None, {})


def check_attacks(server: Server) -> Attacked:
    """Send them all."""
    found = Attacked()
    for name, request in attacks():
        try:
            answer, content = server.ask(*request)
            reason = json.loads(content)["detail"]
            if 400 <= answer.status < 500 and isinstance(reason, str) and reason:
                found.refused[name] = answer.status
            else:
                found.wrong.append(f"{name}: {answer.status} {content[:200]!r}")
        except (OSError, ValueError, KeyError, TypeError) as error:
            found.wrong.append(f"{name}: {error!r}")
    return found


def _bomb() -> bytes:
    """A PNG of a hundred bytes that says it has 3.6 billion pixels."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(64))),
        (b"IEND", b""),
    ]
    chunks = (struct.pack(">I", len(c)) + kind + c + struct.pack(">I", zlib.crc32(kind + c)) for kind, c in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
