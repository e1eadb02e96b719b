"""The least that a step can take: its operations at the rate at which this machine multiplies matrices."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from diffusionseg.bench.turns import take_turns


def operations(call: Callable[[], object]) -> int:
    """Operations of the matrix products and convolutions of a call (a multiplication and an addition are two)."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        call()
    return int(counter.get_total_flops())


def matrix_rate(device: torch.device, dtype: torch.dtype, side: int = 1024, rounds: int = 8) -> float:
    """Operations a second of the product of two square matrices; the best of several rounds."""
    a, b = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))
    (product,) = take_turns({"product": lambda: a @ b}, rounds, lambda: wait_for(device)).values()
    return 2 * side**3 / min(product.seconds)


def wait_for(device: torch.device) -> None:
    """Return when the device has done what it was told to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
