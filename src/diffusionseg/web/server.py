"""Listening and answering until somebody says stop."""

from __future__ import annotations

import socket
import sys
from contextlib import suppress

import uvicorn

from diffusionseg.web.app import create_app
from diffusionseg.web.config import ServeConfig
from diffusionseg.web.models import LoadedModel


def listen(config: ServeConfig, port: int) -> socket.socket:
    """A listening socket, so that a port in use is known before models are loaded. Raises ValueError naming it."""
    try:
        family = socket.getaddrinfo(config.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((config.host, port), family=family)
    except OSError as error:
        raise ValueError(f"--host {config.host} --port {port}: {error.strerror or error}; choose others") from error


def run(models: dict[str, LoadedModel], config: ServeConfig, listening: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM; requests in hand get five seconds."""
    settings = uvicorn.Config(
        create_app(models, config),
        log_level="warning",
        access_log=False,
        server_header=False,
        # What a client says of itself in headers is not believed.
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        # Beyond it, connections are answered 503 before anything of them is read.
        limit_concurrency=8 * config.queue + 64,
        ws="none",
    )
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):
        uvicorn.Server(settings).run(sockets=[listening])
