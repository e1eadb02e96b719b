"""Limits of the server: what a stranger may ask of it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

SHORTEST_TOKEN = 16
"""Characters of a token that cannot be guessed by trying."""


@dataclass(frozen=True)
class ServeConfig:
    """Address, token and limits."""

    host: str = "127.0.0.1"
    """Address to listen at."""
    token: str | None = None
    """What every request must bring, at least 16 visible ASCII characters; None asks for nothing."""
    max_upload: int = 20 * 2**20
    """Largest photograph in bytes, at least 1."""
    max_pixels: int = 50_000_000
    """Photographs of more pixels are refused from their header, at least 64."""
    queue: int = 64
    """Photographs that may be uploading, waiting or worked on at once; more are answered 503. At least 1."""
    timeout: float = 120.0
    """Seconds from a request's beginning to its answer, upload and waiting included, above 0."""
    max_count: int = 64
    """Places of one synthetic set, at least 1."""
    job_timeout: float = 3600.0
    """Seconds that one synthetic set may take, above 0."""
    allow: tuple[Path, ...] = ()
    """Folders that Evaluate may read, with all below them."""

    def __post_init__(self) -> None:
        for flag, value in (
            ("--max-upload", self.max_upload),
            ("--queue", self.queue),
            ("--max-count", self.max_count),
            ("--max-pixels", self.max_pixels // 64),
        ):
            if value < 1:
                raise ValueError(f"{flag} is too small")
        for flag, seconds in (("--timeout", self.timeout), ("--job-timeout", self.job_timeout)):
            if not 0 < seconds < float("inf"):
                raise ValueError(f"{flag} must be above 0 and finite, got {seconds}")
        if self.token is not None and not (
            len(self.token) >= SHORTEST_TOKEN and all("!" <= character <= "~" for character in self.token)
        ):
            raise ValueError(f"--token needs at least {SHORTEST_TOKEN} ASCII characters without spaces")
        for folder in self.allow:
            if not folder.is_dir():
                raise ValueError(f"--allow {folder}: is no folder")

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the server."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"
