"""The whole server as one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Response

from diffusionseg import __version__
from diffusionseg.synthesis import SynthesisConfig
from diffusionseg.web.config import ServeConfig
from diffusionseg.web.desk import Desk
from diffusionseg.web.errors import add_error_handlers, answers, as_json
from diffusionseg.web.extra import quiet
from diffusionseg.web.gate import App, Gate, Receive, Scope, Send
from diffusionseg.web.jobs import Jobs
from diffusionseg.web.models import LoadedModel
from diffusionseg.web.predict_api import add_predict
from diffusionseg.web.synth_api import add_synth

UPLOADS = ("/api/predict", "/page/photos")
"""Paths of photographs."""


def create_app(
    models: dict[str, LoadedModel],
    config: ServeConfig | None = None,
    *,
    synthesis: SynthesisConfig | None = None,
    page: bool = True,
) -> App:
    """API and page for these models, the first of which is the default.

    `synthesis` holds the defaults of a set; without `page` Gradio is neither needed nor imported.
    """
    config, synthesis = config or ServeConfig(), synthesis or SynthesisConfig()
    desk, jobs = Desk("predict", config.queue), Jobs(config.job_timeout)
    closing: list[Any] = [desk, jobs]

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        yield
        for one in closing:
            one.close()

    # Their documentation would load scripts from elsewhere.
    quiet_pages: dict[str, Any] = {"docs_url": None, "redoc_url": None, "lifespan": lifespan}
    api = FastAPI(
        title="diffusionseg",
        version=__version__,
        summary="Finds the main object in photographs",
        openapi_url="/api/openapi.json",
        separate_input_output_schemas=False,
        **quiet_pages,
    )
    add_error_handlers(api)
    add_predict(api, models, config, desk)
    add_synth(api, models, config, jobs, synthesis)
    _add_facts(api, models, desk)
    if not page:
        return Gate(api, config, UPLOADS, lambda scope, _: is_api(scope))
    quiet()
    from diffusionseg.web.page import add_page
    from diffusionseg.web.page.doorway import page_passes
    from diffusionseg.web.page.held import Held

    held = Held(models, config, synthesis, desk)
    closing.append(held)
    site = FastAPI(openapi_url=None, **quiet_pages)
    add_error_handlers(site)
    add_page(site, held)

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        # Two applications, or Gradio would answer for what the API refuses.
        await (api if is_api(scope) else site)(scope, receive, send)

    return Gate(both, config, UPLOADS, lambda scope, body: is_api(scope) or page_passes(scope, body))


def is_api(scope: Scope) -> bool:
    """Whether a request is the API's."""
    return str(scope.get("path", "")).startswith("/api/")


def _add_facts(app: FastAPI, models: dict[str, LoadedModel], desk: Desk) -> None:
    async def health() -> Response:
        """Whether the server answers, and how many photographs it has in hand."""
        return _json({"status": "ok", "version": __version__, "waiting": desk.taken})

    async def list_models() -> Response:
        """Models to choose from; the first is the default."""
        return _json({"models": [_described(model) for model in models.values()]})

    for path, function, errors in (("/api/health", health, ()), ("/api/models", list_models, (401,))):
        found = {"description": "Facts", "content": {"application/json": {"schema": {"type": "object"}}}}
        app.add_api_route(path, function, response_class=Response, responses={200: found, **answers(*errors)})


def _described(model: LoadedModel) -> dict[str, Any]:
    segmenter, backbone = model.segmenter, model.generator
    drawing = (
        {}
        if backbone is None
        else {
            "generator": backbone.fingerprint,
            "image_size": backbone.image_size,
            "device": backbone.device.type,
            "dtype": backbone.dtype_name,
        }
    )
    return {"name": model.name, "fingerprint": segmenter.fingerprint, **drawing}


def _json(values: Any) -> Response:
    return Response(as_json(values), media_type="application/json")
