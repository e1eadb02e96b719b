"""`diffusionseg doctor`: what is installed, what works, and how fast."""

from __future__ import annotations

import functools
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer

from diffusionseg.cli import console, options

EXAMPLE = "Example: diffusionseg doctor --json"

PACKAGES = (
    "diffusionseg",
    "torch",
    "diffusers",
    "transformers",
    "accelerate",
    "safetensors",
    "huggingface-hub",
    "numpy",
    "scipy",
    "numba",
    "pillow",
    "pyarrow",
)
OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HOME", "HF_HUB_CACHE")


def doctor(
    config: options.Config = None,
    model: options.Model = "mini",
    device: Annotated[str, typer.Option(help="Test this device only; default every one there is.")] = "all",
    dtype: options.Dtype = "auto",
    json: options.Json = False,
) -> None:
    """Show versions, devices with the time of one U-Net call, the generator and whether the hub may be asked.

    Exit status 1 where a device or the generator does not work.
    """
    with console.errors_named():
        import torch
        from huggingface_hub import constants

        devices = _devices(torch) if device == "all" else [device]
        described = _tried(lambda: _describe(model))
        report: dict[str, Any] = {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "packages": {name: _version(name) for name in PACKAGES},
            "model": {"name": model, **described},
            "offline": constants.HF_HUB_OFFLINE,
            "environment": {name: os.environ.get(name) for name in OFFLINE_VARIABLES},
            # A generator that cannot be loaded would say so once more for every device.
            "devices": {}
            if "error" in described
            else {name: _tried(functools.partial(_time_call, model, name, dtype)) for name in devices},
        }
    if json:
        console.result(report)
    else:
        _print(report)
    if any("error" in entry for entry in (report["model"], *report["devices"].values())):
        raise typer.Exit(1)


def _tried(look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `look` found, or its error: one broken device must not hide the others."""
    try:
        return look()
    except Exception as error:
        return {"error": str(error) or type(error).__name__}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _devices(torch: Any) -> list[str]:
    found = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    return [*found, "mps"] if torch.backends.mps.is_available() else found


def _describe(model: str) -> dict[str, Any]:
    from diffusionseg.backbone import Backbone

    backbone = Backbone.from_pretrained(model, device="cpu")
    return {
        "fingerprint": backbone.fingerprint[:16],
        "image_size": backbone.image_size,
        "prediction_type": backbone.prediction_type,
        "unet_parameters": sum(p.numel() for p in backbone.unet.parameters()),
    }


def _time_call(model: str, device: str, dtype: str, calls: int = 5) -> dict[str, Any]:
    """Median seconds of one U-Net call for one image at the model's own size, after one call to warm up."""
    import torch

    from diffusionseg.backbone import Backbone

    backbone = Backbone.from_pretrained(model, device=device, dtype=options.dtype_name(dtype))
    side = backbone.image_size // backbone.downscale
    latents = torch.zeros(1, backbone.latent_channels, side, side)
    prompt = backbone.empty_prompt(1)
    seconds = []
    for _ in range(calls + 1):
        start = time.perf_counter()
        backbone.denoise(latents, 500, prompt).sum().item()
        seconds.append(time.perf_counter() - start)
    return {"dtype": backbone.dtype_name, "unet_call_seconds": sorted(seconds[1:])[calls // 2]}


def _print(report: dict[str, Any]) -> None:
    typer.echo(f"python    {report['python']} on {report['system']}")
    for name, found in report["packages"].items():
        typer.echo(f"package   {name} {found or 'not installed'}")
    model = report["model"]
    if "error" in model:
        typer.echo(f"model     {model['name']}: does not work: {model['error']}")
    else:
        typer.echo(
            f"model     {model['name']}: {model['image_size']} px, {model['unet_parameters'] / 1e6:.1f} M parameters "
            f"in the U-Net, {model['prediction_type']}, fingerprint {model['fingerprint']}"
        )
    typer.echo(f"offline   {'yes, the hub is never asked' if report['offline'] else 'no, hub ids are fetched'}")
    for name, value in report["environment"].items():
        typer.echo(f"          {name}={'(not set)' if value is None else value}")
    for name, timing in report["devices"].items():
        if "error" in timing:
            typer.echo(f"device    {name}: does not work: {timing['error']}")
        else:
            milliseconds = timing["unet_call_seconds"] * 1000
            typer.echo(f"device    {name}: {timing['dtype']}, one U-Net call {milliseconds:.1f} ms")
