"""The number format that a module is trained in, and steps of its optimiser in that format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

FORMATS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class MixedPrecision:
    """`fp32`, `bf16`, `fp16` (whose loss is scaled) or `auto`, which is fp16 on CUDA and else fp32."""

    def __init__(self, name: str, device: torch.device) -> None:
        if name == "auto":
            name = "fp16" if device.type == "cuda" else "fp32"
        self._format, self._device = FORMATS[name], device
        self._scaler = torch.amp.GradScaler(device.type, enabled=name == "fp16")

    def autocast(self) -> torch.autocast:
        """Within it a module computes in this format."""
        return torch.autocast(self._device.type, self._format or torch.bfloat16, enabled=self._format is not None)

    def step(self, loss: Tensor, module: nn.Module, optimizer: Optimizer, longest: float, where: str) -> Tensor:
        """Take a step down the gradient of `loss`, shortened to the norm `longest`; returns the norm that it had.

        Where that is no number, fp16 passes the step over, as its scaled gradient may overflow; in the other formats
        it raises ValueError, which ends with `where`, before the weights are lost.
        """
        optimizer.zero_grad(set_to_none=True)
        # PyTorch has no type for it.
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(optimizer)
        norm = nn.utils.clip_grad_norm_(module.parameters(), longest)
        if not self._scaler.is_enabled() and not norm.isfinite():
            raise ValueError(f"the gradient is {norm.item()} {where}")
        self._scaler.step(optimizer)
        self._scaler.update()
        return norm

    def state(self) -> dict[str, Any]:
        """What a checkpoint has to keep."""
        return self._scaler.state_dict()

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Go on from the state of a checkpoint, where it has one."""
        if state:
            self._scaler.load_state_dict(dict(state))
