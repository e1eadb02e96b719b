"""Listing the attention layers of a U-Net."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from diffusers.models.attention_processor import Attention

Kind = Literal["cross", "self"]


@dataclass(frozen=True)
class AttentionLayer:
    """One attention layer of a U-Net."""

    name: str
    """Module path, for instance `up_blocks.1.attentions.0.transformer_blocks.0.attn2`."""

    kind: Kind
    """`cross`: image positions look at the prompt's tokens; `self`: at each other."""

    heads: int
    """Number of attention heads."""


def attention_layers(unet: Any) -> list[AttentionLayer]:
    """All attention layers of a U-Net, in the order of its modules."""
    return [
        AttentionLayer(name, "cross" if module.is_cross_attention else "self", int(module.heads))
        for name, module in unet.named_modules()
        if isinstance(module, Attention)
    ]


def choose_layers(unet: Any, kind: Kind, names: Sequence[str] | None) -> list[str]:
    """The layers of one kind called `names`, or all of that kind where `names` is None.

    Raises `ValueError` for a name that is not a layer of that kind, listing those that are.
    """
    available = [layer.name for layer in attention_layers(unet) if layer.kind == kind]
    if names is None:
        return available
    for name in names:
        if name not in available:
            raise ValueError(f"{name!r} is no {kind}-attention layer; there are {', '.join(available)}")
    return list(dict.fromkeys(names))
