"""`diffusionseg serve`: the page and the HTTP API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffusionseg.cli import console, options

EXAMPLE = "Example: diffusionseg serve --weights mini --port 7860 --allow results"


def serve(
    config: options.Config = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            help="'mini' (default), 'mini-synthetic', 'student', a folder, or a hub id; repeatable.",
            callback=options.tell_of_weights,
        ),
    ] = None,
    model: options.OtherModel = None,
    host: Annotated[str, typer.Option(help="Address to listen at; others than this machine's own need a --token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 7860,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="DIFFUSIONSEG_TOKEN", help="Asked of every client; on the command line other users can see it."
        ),
    ] = None,
    allow: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Folder that Evaluate may read; repeatable."),
    ] = None,
    max_upload: Annotated[float, typer.Option(help="Largest photograph in MB.")] = 20.0,
    max_pixels: Annotated[int, typer.Option(help="Photographs of more pixels are refused.")] = 50_000_000,
    queue: Annotated[int, typer.Option(help="Photographs in hand or waiting at once; more are answered 503.")] = 64,
    timeout: Annotated[float, typer.Option(help="Seconds for one photograph, upload and waiting included.")] = 120.0,
    max_count: Annotated[int, typer.Option(help="Places of one synthetic set.")] = 64,
    job_timeout: Annotated[float, typer.Option(help="Seconds for one synthetic set or evaluation.")] = 3600.0,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    json: options.Json = False,
) -> None:
    """Serve the page and the HTTP API until Ctrl-C. Needs the extra 'web', and no network."""
    with console.errors_named():
        from diffusionseg.web import ServeConfig, check_extra, load_models

        settings = ServeConfig(
            host=host,
            token=token,
            max_upload=round(max_upload * 1_000_000),
            max_pixels=max_pixels,
            queue=queue,
            timeout=timeout,
            max_count=max_count,
            job_timeout=job_timeout,
            allow=tuple(allow or ()),
        )
        if not settings.local and token is None:
            raise ValueError(
                f"--host {host}: everybody who reaches this machine could use the server; give a --token, or set "
                "DIFFUSIONSEG_TOKEN"
            )
        check_extra()
        from diffusionseg.web.server import listen, run

        with listen(settings, port) as socket:
            models = load_models(weights or ["mini"], model, device=device, dtype=options.dtype_name(dtype))
            number = socket.getsockname()[1]
            address = f"http://{f'[{host}]' if ':' in host else host}:{number}"
            console.note(f"serving {', '.join(models)} at {address}; Ctrl-C ends")
            if json:
                console.result({"url": address, "host": host, "port": number, "models": list(models)})
            run(models, settings, socket)
