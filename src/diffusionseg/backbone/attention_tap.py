"""Reading attention during U-Net calls, reduced on the spot, leaving the model as it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any

import torch
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import Tensor, nn

from diffusionseg.backbone.attention_layers import Kind, attention_layers, choose_layers
from diffusionseg.backbone.attention_maps import (
    AttentionMaps,
    add_self_attention,
    cross_attention,
    per_head,
    project,
    span_weights,
)
from diffusionseg.backbone.conditioning import Conditioning

if TYPE_CHECKING:
    from diffusionseg.backbone.model import Backbone


class AttentionTap:
    """Context manager that averages cross- and self-attention over the U-Net calls made while `recording` is
    true.

    `conditioning` is the one given to `denoise` (all rows of the batch); `rows` chooses the rows that are
    read, for instance `slice(B, None)` for the conditional half of a classifier-free guidance batch; None
    reads all. Cross- attention is kept for the class-span tokens of those rows only, which therefore need
    spans.

    `cross_layers` and `self_layers` name layers (see `attention_layers`); None takes every layer whose grid
    has `min_tokens` to `max_tokens` positions at the size that is actually called (196 to 1024: 14×14 to
    32×32); an empty sequence takes none.

    The layers compute their output as ever: hooks keep the queries and keys that they make on the way and
    compute the probabilities of the chosen rows from these afterwards, in float32. So tapped and untapped
    outputs are the same bits, taps may be nested, and on exit, also after an exception, nothing is left in the
    model. While `recording` is false the hooks return at once.
    """

    def __init__(
        self,
        backbone: Backbone,
        conditioning: Conditioning,
        rows: slice | None = None,
        cross_layers: Sequence[str] | None = None,
        self_layers: Sequence[str] | None = None,
        min_tokens: int = 196,
        max_tokens: int = 1024,
    ) -> None:
        if not 1 <= min_tokens <= max_tokens:
            raise ValueError(f"min_tokens {min_tokens} must lie in 1 … max_tokens {max_tokens}")
        self.recording = True
        self._unet, self._batch = backbone.unet, len(conditioning)
        self._rows = rows or slice(None)
        self._chosen: dict[str, Kind] = {}
        kinds: Mapping[Kind, Sequence[str] | None] = {"cross": cross_layers, "self": self_layers}
        for kind, names in kinds.items():
            self._chosen |= dict.fromkeys(choose_layers(self._unet, kind, names), kind)
        self._by_size = {kind for kind, names in kinds.items() if names is None}
        self._tokens = range(min_tokens, max_tokens + 1)
        spans = conditioning.spans[self._rows]
        if not spans:
            raise ValueError(f"rows {rows} selects none of the {self._batch} rows of the conditioning")
        self._weights: Tensor | None = None
        if "cross" in self._chosen.values():
            if not all(spans):
                raise ValueError(
                    "a recorded row has no class span: give encode_prompts the class names, choose the "
                    "conditional rows with rows=, or pass cross_layers=() to read self-attention alone"
                )
            self._weights = span_weights(spans, conditioning.embeddings.shape[1])
        self._hooks = ExitStack()
        self._grid: tuple[int, int] | None = None
        self._made: dict[str, dict[str, Tensor]] = {}
        """Layer that is being called to the `query` and `key` that its projections have made."""
        self.reset()

    def reset(self) -> None:
        """Forget what was recorded so far."""
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._grids: dict[str, tuple[int, int]] = {}
        self._seen: set[int] = set()

    def maps(self) -> AttentionMaps:
        """Means over everything recorded; raises `RuntimeError` when no call was made, `ValueError` when no layer
        was of the size to be read."""
        if not self._counts:
            if not self._seen:
                raise RuntimeError("no U-Net call was recorded: call denoise inside the tap while recording is true")
            raise ValueError(
                f"no attention layer has {self._tokens[0]} to {self._tokens[-1]} positions; this call had "
                f"{sorted(self._seen)}: choose another image size, name the layers, or change "
                "min_tokens/max_tokens"
            )
        means = {name: total / self._counts[name] for name, total in self._sums.items()}
        return AttentionMaps(
            cross={n: m.reshape(-1, *self._grids[n]) for n, m in means.items() if self._chosen[n] == "cross"},
            self_={n: m for n, m in means.items() if self._chosen[n] == "self"},
            grids=dict(self._grids),
            steps=max(self._counts.values()),
        )

    def __enter__(self) -> AttentionTap:
        try:
            self._place_hooks()
        except BaseException:
            self._hooks.close()
            raise
        return self

    def _place_hooks(self) -> None:
        modules = dict(self._unet.named_modules())
        for module in modules.values():
            if isinstance(module, Transformer2DModel):
                self._hook(module, self._note_grid)
        for layer in attention_layers(self._unet):
            if layer.name in self._chosen:
                attn: Any = modules[layer.name]
                self._hook(attn, self._starter(layer.name))
                for what, projection in (("query", attn.to_q), ("key", attn.to_k)):
                    keep = self._keeper(layer.name, what)
                    self._hooks.callback(projection.register_forward_hook(keep).remove)
                self._hooks.callback(attn.register_forward_hook(self._reader(layer.name), with_kwargs=True).remove)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hooks.close()
        self._made.clear()

    def _hook(self, module: nn.Module, hook: Callable[..., None]) -> None:
        self._hooks.callback(module.register_forward_pre_hook(hook, with_kwargs=True).remove)

    def _note_grid(self, module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        """A transformer sees (B, C, h, w); its attention layers only (B, h·w, C)."""
        states = arguments[0] if arguments else named["hidden_states"]
        self._grid = (int(states.shape[-2]), int(states.shape[-1]))

    def _starter(self, name: str) -> Callable[..., None]:
        """Decides before each call of a layer whether it is read."""
        kind = self._chosen[name]

        def start(attn: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
            self._made.pop(name, None)
            if not self.recording:
                return
            states, _, _ = _inputs(arguments, named)
            grid = (int(states.shape[2]), int(states.shape[3])) if states.ndim == 4 else self._grid
            assert grid is not None
            positions = grid[0] * grid[1]
            self._seen.add(positions)
            if kind in self._by_size and positions not in self._tokens:
                return
            if len(states) != self._batch:
                raise ValueError(
                    f"the U-Net was called with {len(states)} rows, the tap's conditioning has {self._batch}"
                )
            if self._grids.setdefault(name, grid) != grid:
                raise ValueError(f"latents changed size while recording ({self._grids[name]} to {grid}): reset() first")
            self._made[name] = {}

        return start

    def _keeper(self, name: str, what: str) -> Callable[..., None]:
        def keep(_: nn.Module, __: tuple[Any, ...], output: Tensor) -> None:
            # Another tap may project its own rows again.
            if name in self._made and len(output) == self._batch:
                self._made[name][what] = output

        return keep

    def _reader(self, name: str) -> Callable[..., None]:
        def read(attn: Any, arguments: tuple[Any, ...], named: dict[str, Any], _: Tensor) -> None:
            if name not in self._made:
                return
            made = self._made.pop(name)
            states, context, mask = _inputs(arguments, named)
            rows = self._rows
            with torch.no_grad():
                if made.keys() >= {"query", "key"}:
                    query, key = made["query"][rows], made["key"][rows]
                else:  # Of a processor that makes them elsewhere, as those of fused projections do.
                    query, key = project(attn, states[rows], None if context is None else context[rows])
                if mask is not None:
                    mask = attn.prepare_attention_mask(mask, key.shape[1], len(states))
                    mask = mask.unflatten(0, (len(states), attn.heads))[rows]
                self._record(name, *per_head(attn, query, key), attn.scale, mask)

        return read

    def _record(self, name: str, query: Tensor, key: Tensor, scale: float, mask: Tensor | None) -> None:
        count, _, positions, _ = query.shape
        if self._chosen[name] == "cross":
            assert self._weights is not None
            value = cross_attention(query, key, self._weights, scale, mask).float()
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        else:
            if name not in self._sums:
                self._sums[name] = query.new_zeros(count, positions, positions, dtype=torch.float32)
            add_self_attention(self._sums[name], query, key, scale, mask)
        self._counts[name] = self._counts.get(name, 0) + 1


def _inputs(arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Hidden states, context and mask that an attention layer is called with."""
    states = arguments[0] if arguments else named["hidden_states"]
    context = arguments[1] if len(arguments) > 1 else named.get("encoder_hidden_states")
    mask = arguments[2] if len(arguments) > 2 else named.get("attention_mask")
    return states, context, mask
