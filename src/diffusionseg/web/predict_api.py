"""POST /api/predict."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from pydantic import Field

from diffusionseg.prediction import PredictConfig, prediction_record
from diffusionseg.web.body import FIELD, Refused, read_upload
from diffusionseg.web.config import ServeConfig
from diffusionseg.web.desk import Desk
from diffusionseg.web.errors import answers, as_json, model_named
from diffusionseg.web.models import LoadedModel
from diffusionseg.web.photos import open_photo, picture_file, predict_photo, zipped

Kind = Literal["json", "saliency", "mask", "rgba", "overlay", "zip"]
Answer = tuple[bytes, str]
"""Content and content type."""

_PHOTO = {"type": "string", "format": "binary"}
_BODY = {
    "required": True,
    "content": {
        "application/octet-stream": {"schema": _PHOTO},
        "image/*": {"schema": _PHOTO},
        "multipart/form-data": {
            "schema": {"type": "object", "properties": {FIELD: _PHOTO}, "required": [FIELD]},
        },
    },
}
_FOUND: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "JSON (default), a PNG of the photograph's size, or all of them in a zip",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["width", "height", "boxes", "scores", "seconds", "model"],
                    "properties": {
                        "width": {"type": "integer"},
                        "height": {"type": "integer"},
                        "boxes": {
                            "type": "array",
                            "description": "x0, y0, x1, y1 in pixels, half-open; best first",
                            "items": {"type": "array", "items": {"type": "integer"}, "minItems": 4, "maxItems": 4},
                        },
                        "scores": {"type": "array", "items": {"type": "number"}},
                        "seconds": {"type": "number"},
                        "model": {"type": "string"},
                    },
                }
            },
            "image/png": {"schema": _PHOTO},
            "application/zip": {"schema": _PHOTO},
        },
    }
}


def add_predict(app: FastAPI, models: dict[str, LoadedModel], config: ServeConfig, desk: Desk) -> None:
    """Add the route."""

    async def predict(
        request: Request,
        type: Annotated[
            Kind | None, Query(description="What comes back; without it the header Accept decides, else json")
        ] = None,
        model: Annotated[str | None, Query(description="One of /api/models; default the first")] = None,
        refine: Annotated[Literal["none", "guided", "bilateral", "cut"] | None, Query()] = None,
        threshold: Annotated[float | None, Query(gt=0, lt=1)] = None,
        prior: Annotated[float | None, Query(ge=0, le=1000)] = None,
        multiple: Annotated[bool | None, Query(description="Boxes of all parts")] = None,
        flip: Annotated[bool | None, Query(description="Average with the mirror image")] = None,
        margin: Annotated[
            list[Annotated[float, Field(ge=0, le=0.9)]] | None,
            Query(max_length=4, description="A view each to average over: share of mirror image around the photograph"),
        ] = None,
    ) -> Response:
        """Find the main object of one photograph; the pictures equal those of `diffusionseg predict`."""
        chosen = model_named(models, model)
        given: dict[str, Any] = {"refine": refine, "threshold": threshold, "multiple": multiple, "flip": flip}
        given["margins"] = tuple(margin) if margin else None
        settings = _settings(chosen.segmenter.predict_config, given, prior)
        kind = type or _accepted(request.headers.get("accept", ""))
        with desk.place():
            content, media_type = await _in_time(request, config, desk, partial(_answer, chosen, settings, kind))
        return Response(content, media_type=media_type)

    app.add_api_route(
        "/api/predict",
        predict,
        methods=["POST"],
        response_class=Response,
        responses={**_FOUND, **answers(400, 401, 404, 408, 413, 415, 422, 503, 504)},
        openapi_extra={"requestBody": _BODY},
        summary="Main object of a photograph",
    )


async def _in_time(request: Request, config: ServeConfig, desk: Desk, answer: Callable[[bytes, int], Answer]) -> Answer:
    status, reason = 408, "the photograph did not arrive in time"
    try:
        async with asyncio.timeout(config.timeout):
            content = await read_upload(request, config.max_upload)
            status, reason = 504, f"no answer within {config.timeout:g} seconds; try again later"
            return await desk.work(partial(answer, content, config.max_pixels))
    except TimeoutError:
        raise Refused(status, reason) from None


def _answer(model: LoadedModel, settings: PredictConfig, kind: Kind, content: bytes, max_pixels: int) -> Answer:
    """Runs at the desk, decoding and encoding included, so that memory does not grow with the number of clients."""
    photo = open_photo(content, max_pixels)
    prediction = predict_photo(model, photo, settings)
    if kind == "json":
        return as_json({**prediction_record(prediction), "model": model.name}), "application/json"
    if kind == "zip":
        return zipped(photo, prediction), "application/zip"
    return picture_file(kind, photo, prediction), "image/png"


def _settings(settings: PredictConfig, given: dict[str, Any], prior: float | None) -> PredictConfig:
    if prior is not None:
        given["cut"] = replace(settings.cut, prior=prior)
    return replace(settings, **{name: value for name, value in given.items() if value is not None})


def _accepted(accept: str) -> Kind:
    """The first of our types in the header; weights are not looked at."""
    for part in accept.split(","):
        match part.partition(";")[0].strip().lower():
            case "application/json":
                return "json"
            case "image/png" | "image/*":
                return "mask"
            case "application/zip":
                return "zip"
    return "json"
