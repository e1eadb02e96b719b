"""Which device and number format a generator runs in."""

from __future__ import annotations

import torch
from torch import nn

from diffusionseg.backbone.errors import DeviceUnavailableError


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """Turn `auto`, `cpu`, `cuda`, `cuda:N` or `mps` into a device that exists.

    `auto` takes CUDA, then MPS, then the CPU. A device that is asked for by name and missing raises
    `DeviceUnavailableError`: falling back silently would hide a run that is a hundred times slower.
    """
    name = str(device)
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        wanted = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device {name!r} is unknown: use auto, cpu, cuda, cuda:N or mps") from error
    if wanted.type == "cuda":
        return _cuda(name, wanted.index)
    if wanted.type == "mps":
        if not torch.backends.mps.is_available():
            raise DeviceUnavailableError("device 'mps' was asked for, but this machine or PyTorch build has none")
        return wanted
    if wanted.type != "cpu":
        raise ValueError(f"device {name!r} is not supported: use auto, cpu, cuda, cuda:N or mps")
    return torch.device("cpu")


def _cuda(name: str, index: int | None) -> torch.device:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        raise DeviceUnavailableError(
            f"device {name!r} was asked for, but PyTorch {torch.__version__} finds no CUDA device"
        )
    if index is not None and index >= count:
        raise DeviceUnavailableError(f"device {name!r} was asked for, but only cuda:0 to cuda:{count - 1} exist")
    return torch.device("cuda", index or 0)


def resolve_dtype(dtype: torch.dtype | str | None, device: torch.device) -> torch.dtype:
    """The floating-point format: as given (`float32`, `torch.bfloat16`, …), else float16 on CUDA, float32
    elsewhere.

    The CPU never gets a half format unasked: weights stored as float16 are widened on loading.
    """
    if dtype is None or dtype == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    resolved = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not isinstance(resolved, torch.dtype) or not resolved.is_floating_point:
        raise ValueError(f"dtype {dtype!r} is unknown: use float32, float16, bfloat16 or float64")
    return resolved


def computes_bfloat16(device: torch.device) -> bool:
    """Whether `device` multiplies bfloat16 matrices itself.

    A CPU that does not (no AMX, no AVX512-BF16, no Arm BF16) emulates them, hundreds of times slower than float32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    if device.type == "cpu":
        # Older versions of PyTorch cannot tell; float32 is never very wrong.
        capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
        return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16"))
    return False


def place_convolutions(module: nn.Module, device: torch.device, dtype: torch.dtype | None = None) -> None:
    """Move a module, whose convolutions go over many pixels, with its weights in the order of memory that is the
    fastest there."""
    # A fifth faster on a CPU, for an autoencoder's or a decoder's; those of a large U-Net are not.
    order = torch.channels_last if device.type == "cpu" else torch.contiguous_format
    # PyTorch's stubs leave memory_format out.
    nn.Module.to(module, device=device, dtype=dtype, memory_format=order)  # type: ignore[call-overload]
