"""`diffusionseg doctor`: what is installed, what works, and how fast."""

from __future__ import annotations

import os
import platform
import time
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
    "pillow",
    "pyarrow",
)
OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HOME", "HF_HUB_CACHE")


def doctor(
    model: options.Model = "mini",
    device: Annotated[str, typer.Option(help="Test this device only; default every one there is.")] = "all",
    json: options.Json = False,
) -> None:
    """Show versions, devices with the time of one U-Net call, the default model and the offline state."""
    with console.errors_named():
        import torch

        from diffusionseg.backbone import Backbone

        devices = _devices(torch) if device == "all" else [device]
        backbone = Backbone.from_pretrained(model, device="cpu")
        report: dict[str, Any] = {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "packages": {name: _version(name) for name in PACKAGES},
            "model": _describe(backbone),
            "offline": {name: os.environ.get(name) for name in OFFLINE_VARIABLES},
            "devices": {name: _time_call(model, name) for name in devices},
        }
    if json:
        console.result(report)
    else:
        _print(report)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _devices(torch: Any) -> list[str]:
    found = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    return [*found, "mps"] if torch.backends.mps.is_available() else found


def _describe(backbone: Any) -> dict[str, Any]:
    return {
        "name": backbone.name,
        "fingerprint": backbone.fingerprint[:16],
        "image_size": backbone.image_size,
        "prediction_type": backbone.prediction_type,
        "unet_parameters": sum(p.numel() for p in backbone.unet.parameters()),
    }


def _time_call(model: str, device: str, calls: int = 5) -> dict[str, Any]:
    """Median seconds of one U-Net call for one image at the model's own size, after one call to warm up."""
    import torch

    from diffusionseg.backbone import Backbone

    backbone = Backbone.from_pretrained(model, device=device)
    side = backbone.image_size // backbone.downscale
    latents = torch.zeros(1, backbone.latent_channels, side, side)
    prompt = backbone.empty_prompt(1)
    seconds = []
    for _ in range(calls + 1):
        start = time.perf_counter()
        backbone.denoise(latents, 500, prompt).sum().item()
        seconds.append(time.perf_counter() - start)
    return {"dtype": str(backbone.dtype).removeprefix("torch."), "unet_call_seconds": sorted(seconds[1:])[calls // 2]}


def _print(report: dict[str, Any]) -> None:
    typer.echo(f"python    {report['python']} on {report['system']}")
    for name, found in report["packages"].items():
        typer.echo(f"package   {name} {found or 'not installed'}")
    model = report["model"]
    typer.echo(
        f"model     {model['name']}: {model['image_size']} px, {model['unet_parameters'] / 1e6:.1f} M parameters in "
        f"the U-Net, {model['prediction_type']}, fingerprint {model['fingerprint']}"
    )
    for name, value in report["offline"].items():
        typer.echo(f"offline   {name}={'(not set)' if value is None else value}")
    for name, timing in report["devices"].items():
        typer.echo(f"device    {name}: {timing['dtype']}, one U-Net call {timing['unet_call_seconds'] * 1000:.1f} ms")
