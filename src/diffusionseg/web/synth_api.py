"""/api/synth: synthetic sets as jobs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le, Len
from fastapi import FastAPI, Response
from fastapi.concurrency import run_in_threadpool

from diffusionseg.attentioncut import PixelMethod
from diffusionseg.backbone import Solver
from diffusionseg.synthesis import SynthesisConfig, class_names
from diffusionseg.web.body import Refused
from diffusionseg.web.config import ServeConfig
from diffusionseg.web.errors import answers, as_json, model_named
from diffusionseg.web.jobs import Job, Jobs, SetRequest, check_request
from diffusionseg.web.models import LoadedModel

Name = Annotated[str, Len(1, 100)]

_JOB = {
    "type": "object",
    "required": ["id", "state", "done", "total", "rejects", "samples", "error"],
    "properties": {
        "id": {"type": "string"},
        "state": {"enum": ["waiting", "running", "done", "failed", "cancelled"]},
        "done": {"type": "integer"},
        "total": {"type": "integer"},
        "rejects": {"type": "object", "additionalProperties": {"type": "integer"}},
        "samples": {"type": ["integer", "null"]},
        "error": {"type": ["string", "null"]},
    },
}


@dataclass(frozen=True)
class Synth:
    """A set to make."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    classes: Annotated[list[Name], Len(1, 64)]
    """Class names, which places take in turn."""
    count: Annotated[int, Ge(1)] = 8
    """Places of the set, at most what the server allows."""
    seed: Annotated[int, Ge(0), Le(2**53 - 1)] = 0
    """Seed of all randomness."""
    steps: Annotated[int | None, Ge(1), Le(100)] = None
    """Steps of the solver; null is the default of `diffusionseg synth`."""
    solver: Solver | None = None
    """How it steps; null is the default."""
    guidance: Annotated[float | None, Ge(1), Le(20)] = None
    """Classifier-free guidance; null is the default."""
    attempts: Annotated[int | None, Ge(1), Le(20)] = None
    """Images tried for one place; null is the default."""
    max_border: Annotated[float | None, Ge(0), Le(1)] = None
    """Largest share of the image's rim that an object may cover; null is the default."""
    refine: PixelMethod | None = None
    """How masks get to pixels; null is the default."""
    prior: Annotated[float | None, Ge(0), Le(1000)] = None
    """Weight of the attention against the colours where `refine` is cut; null is the default."""
    model: Annotated[str | None, Len(0, 200)] = None
    """Whose generator draws, one of /api/models; null is the first."""


def add_synth(
    app: FastAPI, models: dict[str, LoadedModel], config: ServeConfig, jobs: Jobs, synthesis: SynthesisConfig
) -> None:
    """Add the routes."""

    async def begin(body: Synth) -> Response:
        """Ask for a set. Its state is at the address in the header Location."""
        if body.count > config.max_count:
            raise Refused(422, f"count must be at most {config.max_count}, got {body.count}")
        model = model_named(models, body.model)
        try:
            names = class_names(body.classes)
            settings = _settings(synthesis, body)
        except ValueError as error:
            raise Refused(422, str(error)) from error
        await run_in_threadpool(partial(check_request, model, names, settings))
        job = jobs.add(SetRequest(model, names, body.count, body.seed, settings))
        return _told(job, 202, {"Location": f"/api/synth/{job.id}"})

    async def state(id: str) -> Response:
        """How far a set is."""
        return _told(jobs.get(id))

    async def cancel(id: str) -> Response:
        """End a set, after the place in hand, and forget its result."""
        return _told(jobs.cancel(id))

    async def result(id: str) -> Response:
        """The folder of a finished set: shards in WebDataset form, manifest.json, preview.png."""
        job = jobs.get(id)
        if job.result is None:
            raise Refused(409, f"the set is {job.state}; there is no result")
        return Response(job.result, media_type="application/zip")

    job = {"content": {"application/json": {"schema": _JOB}}}
    binary = {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}
    routes: tuple[tuple[str, str, Any, int, dict[str, Any], tuple[int, ...]], ...] = (
        ("/api/synth", "POST", begin, 202, {"description": "The set waits", **job}, (400, 413, 422, 429)),
        ("/api/synth/{id}", "GET", state, 200, {"description": "Its state", **job}, ()),
        ("/api/synth/{id}", "DELETE", cancel, 200, {"description": "Its state", **job}, ()),
        ("/api/synth/{id}/result", "GET", result, 200, {"description": "The set", **binary}, (409,)),
    )
    for path, method, function, status, found, errors in routes:
        app.add_api_route(
            path,
            function,
            methods=[method],
            status_code=status,
            response_class=Response,
            responses={status: found, **answers(401, 404, *errors), 422: answers(422)[422]},
        )


def _settings(settings: SynthesisConfig, body: Synth) -> SynthesisConfig:
    given: dict[str, Any] = {
        "steps": body.steps,
        "solver": body.solver,
        "guidance": body.guidance,
        "attempts": body.attempts,
    }
    if body.max_border is not None:
        given["gate"] = replace(settings.gate, max_border=body.max_border)
    given["cut"] = settings.cut.to_pixels(body.refine, body.prior)
    return replace(settings, **{name: value for name, value in given.items() if value is not None})


def _told(job: Job, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(as_json(job.told()), status, headers, "application/json")
