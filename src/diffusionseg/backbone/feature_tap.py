"""Reading the outputs of chosen modules during U-Net calls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

if TYPE_CHECKING:
    from diffusionseg.backbone.model import Backbone


class FeatureTap:
    """Context manager that keeps what chosen modules of the U-Net gave in the latest call.

    `layers` are module paths such as `up_blocks.1`, `mid_block` or `down_blocks.0.resnets.1`; by default the
    outputs of all up blocks. `features` maps each to what it gave, as a rule (B, C, h, w), in the U-Net's
    number format; a container that the U-Net never calls as a whole gives nothing. Forward hooks read them
    and are removed on exit, also after an exception. An unknown layer raises `ValueError` listing the blocks.

    With `stop` the call ends, and the block of the `with` statement too, as soon as every layer has given
    something: what lies behind the last of them is not computed, and there is no output of the U-Net.
    """

    def __init__(self, backbone: Backbone, layers: Sequence[str] | None = None, *, stop: bool = False) -> None:
        modules = dict(backbone.unet.named_modules())
        names = list(layers) if layers is not None else _up_blocks(backbone.unet)
        for name in names:
            if not name or name not in modules:
                raise ValueError(
                    f"unknown layer {name!r}: {backbone.name} has {', '.join(_blocks(modules))} and their submodules"
                )
        self.features: dict[str, Tensor] = {}
        self.layers = tuple(names)
        self._modules: dict[str, nn.Module] = {name: modules[name] for name in names}
        self._stop = stop
        self._hooks = ExitStack()

    def __enter__(self) -> FeatureTap:
        for name, module in self._modules.items():
            self._hooks.callback(module.register_forward_hook(self._keep(name)).remove)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._hooks.close()
        return kind is _Complete

    def _keep(self, name: str) -> Any:
        def hook(module: nn.Module, arguments: Any, output: Any) -> None:
            # Down blocks give (hidden states, skip connections), transformers a one-tuple.
            value = output if isinstance(output, Tensor) else output[0]
            self.features[name] = value.detach()
            if self._stop and len(self.features) == len(self._modules):
                raise _Complete

        return hook


class _Complete(Exception):
    """Every layer has given something."""


def _blocks(modules: Iterable[str]) -> list[str]:
    return [name for name in modules if re.fullmatch(r"(?:down|up)_blocks\.\d+|mid_block", name)]


def _up_blocks(unet: Any) -> list[str]:
    return [f"up_blocks.{index}" for index in range(len(unet.up_blocks))]
