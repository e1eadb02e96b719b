"""Attention probabilities, reduced while they are computed.

Shapes: R recorded rows, H heads, N image positions, L keys (tokens, or N again), D channels a head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_BLOCK_ELEMENTS = 1 << 23
"""Most probabilities held at once by `add_self_attention`: 32 MiB in float32."""


@dataclass(frozen=True, eq=False)
class AttentionMaps:
    """Attention averaged over heads, class-span tokens and recorded steps, float32."""

    cross: dict[str, Tensor]
    """Layer name to share of attention (0…1) that each position gives the class name, (R, h, w)."""

    self_: dict[str, Tensor]
    """Layer name to self-attention (R, N, N), N = h·w row-major; each row sums to 1."""

    grids: dict[str, tuple[int, int]]
    """Layer name to (h, w)."""

    steps: int
    """Number of U-Net calls that were averaged."""

    def merge(self, other: AttentionMaps) -> AttentionMaps:
        """Mean over the calls of both, which must have read the same rows and layers."""
        share = other.steps / (self.steps + other.steps)
        return AttentionMaps(
            cross={name: values.lerp(other.cross[name], share) for name, values in self.cross.items()},
            self_={name: values.lerp(other.self_[name], share) for name, values in self.self_.items()},
            grids=self.grids,
            steps=self.steps + other.steps,
        )

    def usable(self) -> Tensor:
        """Whether each row consists of numbers, (R,) bool."""
        return torch.stack([m.flatten(1).isfinite().all(1) for m in (*self.cross.values(), *self.self_.values())]).all(
            0
        )

    def where(self, rows: Tensor, other: AttentionMaps) -> AttentionMaps:
        """These maps in the rows (R,) that are true, the others' in the rest."""
        return AttentionMaps(
            cross={n: torch.where(rows[:, None, None], m, other.cross[n]) for n, m in self.cross.items()},
            self_={n: torch.where(rows[:, None, None], m, other.self_[n]) for n, m in self.self_.items()},
            grids=self.grids,
            steps=self.steps,
        )


def project(attn: Any, hidden_states: Tensor, encoder_hidden_states: Tensor | None) -> tuple[Tensor, Tensor]:
    """Queries (R, N, H·D) and keys (R, L, H·D), made as diffusers' `AttnProcessor2_0` makes them."""
    if hidden_states.ndim == 4:
        hidden_states = hidden_states.flatten(2).transpose(1, 2)
    if attn.group_norm is not None:
        hidden_states = attn.group_norm(hidden_states.transpose(1, 2)).transpose(1, 2)
    context = hidden_states
    if encoder_hidden_states is not None:
        context = encoder_hidden_states
        if attn.norm_cross:
            context = attn.norm_encoder_hidden_states(context)
    return attn.to_q(hidden_states), attn.to_k(context)


def per_head(attn: Any, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """The queries (R, H, N, D) and keys (R, H, L, D) of each head that make the logits, from projected ones."""
    query, key = (x.reshape(*x.shape[:-1], attn.heads, -1).transpose(1, 2) for x in (query, key))
    if attn.norm_q is not None:
        query = attn.norm_q(query)
    if attn.norm_k is not None:
        key = attn.norm_k(key)
    # Half formats lose small probabilities; the maps are always made in float32 or better.
    wide = torch.promote_types(query.dtype, torch.float32)
    return query.to(wide), key.to(wide)


def span_weights(spans: tuple[tuple[int, ...], ...], tokens: int) -> Tensor:
    """Weights (R, L) that average over each row's class-span tokens: 1/|S| at the span, else 0."""
    weights = torch.zeros(len(spans), tokens)
    for row, span in enumerate(spans):
        weights[row, list(span)] = 1 / len(span)
    return weights


def cross_attention(query: Tensor, key: Tensor, weights: Tensor, scale: float, mask: Tensor | None) -> Tensor:
    """Attention to the class span, mean over heads and the span's tokens: (R, N).

    `weights` (R, L) as from `span_weights`; `mask` is added to the logits and broadcasts to (R, H, N, L).
    """
    logits = query @ key.transpose(-1, -2) * scale
    if mask is not None:
        logits = logits + mask
    return torch.einsum("rhnl,rl->rn", logits.softmax(-1), weights.to(logits)) / query.shape[1]


def add_self_attention(total: Tensor, query: Tensor, key: Tensor, scale: float, mask: Tensor | None) -> None:
    """Add self-attention, mean over heads, to `total` (R, N, N) in place.

    Goes head by head and in blocks of queries, so that (R·H, N, N) is never held.
    """
    rows, heads, positions, _ = query.shape
    block = max(1, _BLOCK_ELEMENTS // (rows * key.shape[2]))
    # The queries are scaled, which are fewer than the logits, and these become the probabilities where they lie.
    query = query * scale
    for head in range(heads):
        keys = key[:, head].transpose(-1, -2)
        for start in range(0, positions, block):
            part = slice(start, start + block)
            logits = query[:, head, part] @ keys
            if mask is not None:
                logits = logits + mask[:, min(head, mask.shape[1] - 1), part if mask.shape[2] > 1 else slice(None)]
            total[:, part].add_(torch.softmax(logits, -1, out=logits), alpha=1 / heads)
