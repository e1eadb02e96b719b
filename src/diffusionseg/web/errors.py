"""Errors over HTTP: always {"detail": "reason"}, never what the client sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from diffusionseg.web.body import Refused
from diffusionseg.web.desk import Full
from diffusionseg.web.models import LoadedModel

RETRY = 2
"""Seconds after which a client that was turned away may come again."""
REASONS = {
    400: "The photograph or the form cannot be used",
    401: "The token is missing or wrong",
    404: "There is no such model or set",
    408: "The upload took too long",
    409: "The set is not finished",
    413: "Larger than allowed",
    415: "Another content type is needed",
    422: "A parameter is out of its range",
    429: "Too many sets are waiting",
    503: "Too many photographs are waiting",
    504: "Not done in time",
}


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of errors."""
    schema = {"type": "object", "properties": {"detail": {"type": "string"}}, "required": ["detail"]}
    return {s: {"description": REASONS[s], "content": {"application/json": {"schema": schema}}} for s in statuses}


def error_response(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error; those that pass say when to come again."""
    again = {"Retry-After": str(RETRY)} if status in (429, 503) else {}
    return Response(as_json({"detail": reason}), status, {**again, **(headers or {})}, "application/json")


def as_json(values: Any) -> bytes:
    """One JSON document in ASCII, which holds any text."""
    return json.dumps(values).encode() + b"\n"


def model_named(models: dict[str, LoadedModel], name: str | None) -> LoadedModel:
    """A model by the name that a client gave, or the first. Raises Refused (404)."""
    if name is None:
        return next(iter(models.values()))
    if name not in models:
        raise Refused(404, f"there is no such model; choose one of {', '.join(models)}")
    return models[name]


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error of this package and of FastAPI in the same form."""

    async def refused(_: Request, error: Any) -> Response:
        return error_response(error.status, error.reason)

    async def full(_: Request, error: Any) -> Response:
        return error_response(503, "too many photographs are waiting; try again in a moment")

    async def invalid(_: Request, error: Any) -> Response:
        told = ("{}: {}".format(".".join(map(str, e["loc"])), e["msg"]) for e in error.errors())
        return error_response(422, "; ".join(told)[:1000])

    async def http(_: Request, error: Any) -> Response:
        return error_response(error.status_code, str(error.detail), error.headers)

    async def memory(_: Request, error: Any) -> Response:
        return error_response(413, "too large for this server's memory; make it smaller")

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(Full, full)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(MemoryError, memory)
    app.add_exception_handler(torch.OutOfMemoryError, memory)
