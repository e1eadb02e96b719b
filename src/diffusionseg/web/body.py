"""Reading what a client uploads: never more than was allowed, and nothing of it is believed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.message import Message
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import Request

RAW = ("application/octet-stream", "image/")
"""Content types, or their beginnings, of a bare photograph."""
FIELD = "image"
"""Name of the file in a form."""
ENVELOPE = 2**16
"""Bytes of a form around its file."""


class Refused(Exception):
    """A request that is answered with an error: HTTP status and reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


async def read_upload(request: Request, limit: int) -> bytes:
    """The bytes of the photograph in a request: its whole body, or the file `image` of a form.

    Raises Refused with 413 above `limit` bytes, 415 for another content type or coding, 400 for a form without it.
    """
    kind = _content_type(request)
    form = kind.get_content_type() == "multipart/form-data"
    if not form and not kind.get_content_type().startswith(RAW):
        raise Refused(415, "send the photograph as application/octet-stream, image/… or multipart/form-data")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "a body with Content-Encoding is not read; send the photograph as it is")
    content = await _read(request, limit + ENVELOPE * form)
    if form:
        content = await _file_in_form(request, content)
    if len(content) > limit:
        raise _too_large(limit)
    if not content:
        raise Refused(400, "the photograph is empty (zero bytes)")
    return content


def _content_type(request: Request) -> Message:
    message = Message()
    message["content-type"] = request.headers.get("content-type", "none/none")
    return message


async def _read(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > limit:
        raise _too_large(limit)
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > limit:
            raise _too_large(limit)
    return bytes(content)


async def _file_in_form(request: Request, content: bytes) -> bytes:
    from starlette.datastructures import UploadFile
    from starlette.formparsers import MultiPartException, MultiPartParser

    async def stream() -> AsyncIterator[bytes]:
        yield content

    parser = MultiPartParser(request.headers, stream(), max_files=1, max_fields=0)
    # What has been read fits into memory; a temporary file would be one more thing to leave behind.
    parser.spool_max_size = len(content) + 1
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        reason = getattr(error, "message", None) or "it has no boundary"
        raise Refused(400, f"not a form with one file in the field {FIELD!r}: {reason}") from error
    try:
        file = form.get(FIELD)
        if not isinstance(file, UploadFile):
            raise Refused(400, f"the form has no file in its field {FIELD!r}")
        read: bytes = await file.read()
        return read
    finally:
        await form.close()


def _too_large(limit: int) -> Refused:
    return Refused(413, f"more than the {limit} bytes that are allowed; make the photograph smaller")
