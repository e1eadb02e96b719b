"""Prompts to embeddings, for one text encoder (SD 1.x, 2.x) or two (SDXL)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

logger = logging.getLogger(__name__)


def token_limit(tokenizers: Sequence[Any], text_encoders: Sequence[Any]) -> int:
    """Number of token positions L that the encoders share, start and end tokens included.

    The encoder's own table of positions has a say, because a tokenizer whose configuration names no limit
    reports an astronomically large one.
    """
    limits = {
        min(int(tokenizer.model_max_length), int(encoder.config.max_position_embeddings))
        for tokenizer, encoder in zip(tokenizers, text_encoders, strict=True)
    }
    if len(limits) != 1:
        raise ValueError(f"the text encoders differ in their number of token positions: {sorted(limits)}")
    return limits.pop()


@torch.no_grad()
def encode_prompt(tokenizers: Sequence[Any], text_encoders: Sequence[Any], prompt: str) -> tuple[Tensor, Tensor | None]:
    """Embed one prompt: embeddings (1, L, D) and pooled embeddings (1, P) or None.

    One encoder: its last hidden state (after the final norm), as the Stable Diffusion pipelines do. Two
    encoders: the hidden states before the last layer, concatenated along D, and the projected pooled output
    of the second (Podell et al., *SDXL*, arXiv 2307.01952, section 2.1). One prompt a call, so that an
    embedding does not depend on the batch that it was made in.
    """
    limit = token_limit(tokenizers, text_encoders)
    states: list[Tensor] = []
    pooled: Tensor | None = None
    for tokenizer, encoder in zip(tokenizers, text_encoders, strict=True):
        ids = tokenizer(
            prompt,
            padding="max_length",
            max_length=limit,
            truncation=True,
            return_tensors="pt",
            verbose=False,
        ).input_ids
        output = encoder(ids.to(encoder.device), output_hidden_states=len(text_encoders) > 1)
        if len(text_encoders) == 1:
            states.append(output.last_hidden_state)
        else:
            states.append(output.hidden_states[-2])
            pooled = output.text_embeds if hasattr(output, "text_embeds") else pooled
    whole = len(tokenizers[0](prompt, truncation=False, verbose=False).input_ids)
    if whole > limit:
        logger.warning("prompt %r has %d tokens; the last %d are cut off", prompt, whole, whole - limit)
    return torch.cat(states, dim=-1), pooled
