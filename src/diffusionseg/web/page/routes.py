"""The page's own addresses: photographs come in, files go out. Not part of the API, so not described there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from diffusionseg.prediction import PICTURES, prediction_record
from diffusionseg.web.body import Refused, read_upload
from diffusionseg.web.errors import as_json, model_named
from diffusionseg.web.page.held import Held, Report
from diffusionseg.web.page.held_photo import HeldPhoto, on_background, safe_name, settings
from diffusionseg.web.page.held_set import EXPORTS
from diffusionseg.web.photos import archive, open_photo, picture_file, png, zipped

Refine = Literal["none", "guided", "bilateral", "cut"]
File = tuple[bytes, str, str]
"""Content, content type, name."""


def add_routes(app: FastAPI, held: Held) -> None:
    """Add them."""

    async def keep_photo(request: Request, name: str = "photograph") -> Response:
        with held.desk.place():
            try:
                async with asyncio.timeout(held.config.timeout):
                    content = await read_upload(request, held.config.max_upload)
                    photo = await held.desk.work(partial(open_photo, content, held.config.max_pixels))
            except TimeoutError:
                raise Refused(408, "the photograph did not arrive in time") from None
        key = held.photos.put(HeldPhoto(safe_name(name), photo))
        return Response(as_json({"key": key}), media_type="application/json")

    async def photo_file(
        key: str,
        what: str,
        model: str | None = None,
        refine: Refine | None = None,
        threshold: Annotated[float | None, Query(gt=0, lt=1)] = None,
        multiple: bool | None = None,
        background: str = "transparent",
    ) -> Response:
        chosen = model_named(held.models, model)
        config = settings(chosen, refine, threshold, multiple)
        photo = held.photos.get(key)

        def make() -> File:
            return _photo_file(held, photo, chosen, config, what, background)

        return _sent(*await run_in_threadpool(make))

    async def set_file(key: str, what: str) -> Response:
        one = held.sets.get(key)
        if what not in ("pairs", *EXPORTS):
            raise Refused(404, "there is no such file of a set")
        content = await run_in_threadpool(one.export, what if what in EXPORTS else None)
        return _sent(content, "application/zip", f"{what}.zip")

    async def report_page(key: str) -> Response:
        return Response(held.reports.get(key).files["report.html"], media_type="text/html")

    async def report_files(key: str) -> Response:
        report: Report = held.reports.get(key)
        return _sent(archive(report.files), "application/zip", "report.zip")

    routes: tuple[tuple[str, str, Callable[..., Any]], ...] = (
        ("POST", "/page/photos", keep_photo),
        ("GET", "/page/photos/{key}/{what}", photo_file),
        ("GET", "/page/sets/{key}/{what}.zip", set_file),
        ("GET", "/page/reports/{key}/report.html", report_page),
        ("GET", "/page/reports/{key}/report.zip", report_files),
    )
    for method, path, function in routes:
        app.add_api_route(path, function, methods=[method], response_class=Response, include_in_schema=False)


def _photo_file(held: Held, photo: HeldPhoto, model: Any, config: Any, what: str, background: str) -> File:
    prediction = photo.predict(model, config, held.at_desk)
    kind = what.removesuffix(".png")
    if kind in PICTURES:
        return picture_file(kind, photo.photo, prediction), "image/png", f"{photo.name}.{kind}.png"
    match what:
        case "cutout.png":
            picture = on_background(photo.photo, prediction.alpha, background)
            return png(picture), "image/png", f"{photo.name}.{background}.png"
        case "json":
            return as_json(prediction_record(prediction)), "application/json", f"{photo.name}.json"
        case "zip":
            return zipped(photo.photo, prediction, photo.name), "application/zip", f"{photo.name}.zip"
    raise Refused(404, "there is no such file of a photograph")


def _sent(content: bytes, media_type: str, name: str) -> Response:
    # The name holds letters, digits, hyphens, underscores and our own endings.
    return Response(content, headers={"Content-Disposition": f'attachment; filename="{name}"'}, media_type=media_type)
