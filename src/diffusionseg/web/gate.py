"""What stands before everything: who may come in, where to, with how much, and what no answer goes without."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fastapi import Response

from diffusionseg.web.config import ServeConfig
from diffusionseg.web.errors import error_response
from diffusionseg.web.login import login_page

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "diffusionseg"
SMALL = 2**20
"""Largest body in bytes where no photograph is expected."""
OPEN = ("/api/health",)
"""Paths that need no token."""
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
"""Whatever a page asks of another machine, the browser refuses. Gradio's own scripts are inline and compile."""
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Gate:
    """ASGI application around another one."""

    def __init__(
        self, app: App, config: ServeConfig, uploads: tuple[str, ...], passes: Callable[[Scope, bytes], bool]
    ) -> None:
        """`uploads`: paths that read and limit their body themselves. `passes`: which other requests go through."""
        self._app, self._config, self._uploads, self._passes = app, config, uploads, passes
        # The cookie is no use anywhere else, nor after a restart; the token itself stays out of the browser's files.
        key = secrets.token_bytes(32)
        self._pass = hmac.new(key, (config.token or "").encode(), hashlib.sha256).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, _with_headers(send))
        # There is no websocket here, and one that is not accepted is closed.

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._stranger(scope, headers)
        if refusal is not None:
            await error_response(*refusal)(scope, receive, send)
            return
        if scope["path"] in self._uploads and self._known(headers):
            await self._app(scope, receive, send)
            return
        body = await _small_body(headers, receive)
        if body is None:
            await error_response(413, f"a body of more than {SMALL} bytes is not read here")(scope, receive, send)
        elif scope["path"] == "/login" and scope["method"] == "POST" and self._config.token is not None:
            await self._login(body)(scope, receive, send)
        elif not (self._known(headers) or scope["path"] in OPEN):
            await self._unknown(scope, headers)(scope, receive, send)
        elif not self._passes(scope, body):
            await error_response(404, "there is nothing at this address")(scope, receive, send)
        else:
            await self._app(scope, _replayed(body, receive), send)

    def _stranger(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        """Why a request of another site's page is refused: by a name that was bent to this address, or openly."""
        host = urlsplit(f"//{headers.get('host', '')}")
        try:
            name = host.hostname
        except ValueError:
            name = None
        if self._config.local and name not in LOOPBACK | {self._config.host}:
            return 421, "this server is reached as localhost"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("host"):
            return 403, "requests from other sites are refused"
        return None

    def _known(self, headers: dict[str, str]) -> bool:
        if self._config.token is None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _equal(given.strip(), self._config.token):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and _equal(cookie.value, self._pass)

    def _login(self, body: bytes) -> Response:
        given = parse_qs(body.decode("latin-1")).get("token", [""])[0]
        if not _equal(given.strip(), self._config.token or ""):
            return login_page("This is not the token.")
        cookie = f"{COOKIE}={self._pass}; Path=/; HttpOnly; SameSite=Strict"
        return error_response(303, "welcome", {"Location": "/", "Set-Cookie": cookie})

    def _unknown(self, scope: Scope, headers: dict[str, str]) -> Response:
        if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            return login_page()
        return error_response(401, "send the header Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})


def _equal(given: str, wanted: str) -> bool:
    """In a time that does not tell how much of it was right."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


async def _small_body(headers: dict[str, str], receive: Receive) -> bytes | None:
    """The whole body, None where it is too large."""
    declared = headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > SMALL:
        return None
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > SMALL:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [
                (name, value)
                for name, value in message.get("headers", [])
                # Gradio would let any page of this machine read its answers.
                if not name.lower().startswith(b"access-control-") and name.lower().decode("latin-1") not in HEADERS
            ]
            ours = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*kept, *ours]}
        await send(message)

    return sending
