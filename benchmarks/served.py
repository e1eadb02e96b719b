"""A server for the length of a measurement."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

TIMEOUT = 180
"""Seconds after which an answer counts as missing; the server itself gives up after 120."""


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    port: int
    """Where it listens on this machine."""
    process: int
    """Its number."""

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def megabytes(self) -> float:
        """Its resident memory."""
        pages = int(Path(f"/proc/{self.process}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[HTTPResponse, bytes]:
        """The answer to a request, whose path is sent as it is, and its content."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()


@contextmanager
def served(*options: str) -> Iterator[Server]:
    """`diffusionseg serve` with these options on a free port. Raises RuntimeError where it ends by itself."""
    command = [sys.executable, "-m", "diffusionseg", "serve", "--port", "0", "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = []
        for line in process.stdout:
            told.append(line)
            if line == "}\n":
                break
        else:
            raise RuntimeError(f"the server ended with {process.wait()}; run it by hand: {' '.join(command)}")
        try:
            yield Server(json.loads("".join(told))["port"], process.pid)
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with {process.returncode} before it was told to")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
