"""What some families feed to the U-Net beside text: SDXL's sizes, and the guidance scale of distilled
models."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from diffusionseg.backbone.conditioning import Conditioning


def time_ids(image_size: tuple[int, int], batch: int) -> Tensor:
    """SDXL's micro-conditioning, shape (batch, 6): original size, crop corner, target size as (height,
    width).

    The picture is said to be uncropped and of its own size (arXiv 2307.01952, section 2.2).
    """
    height, width = image_size
    return torch.tensor([[height, width, 0, 0, height, width]], dtype=torch.float32).expand(batch, 6)


def added_conditions(unet: Any, conditioning: Conditioning, image_size: tuple[int, int]) -> dict[str, Tensor] | None:
    """`added_cond_kwargs` of a U-Net call, or None for families without."""
    kind = getattr(unet.config, "addition_embed_type", None)
    if kind is None:
        return None
    if kind != "text_time":
        raise ValueError(f"addition_embed_type {kind!r} of the U-Net is not supported")
    if conditioning.pooled is None:
        raise ValueError("this generator (SDXL) needs pooled embeddings: make the conditioning with encode_prompts")
    ids = time_ids(image_size, len(conditioning))
    return {
        "text_embeds": conditioning.pooled.to(unet.device, unet.dtype),
        "time_ids": ids.to(unet.device, unet.dtype),
    }


def guidance_embedding(unet: Any, guidance_scale: float, batch: int) -> Tensor | None:
    """Sinusoidal embedding (batch, D) of the guidance scale for models distilled to take it (LCM), else None.

    w = scale - 1, times 1000, at D / 2 geometric frequencies, sines before cosines (Luo et al., arXiv
    2310.04378, section 4.3).
    """
    width = getattr(unet.config, "time_cond_proj_dim", None)
    if width is None:
        return None
    half = width // 2
    frequencies = torch.exp(torch.arange(half, dtype=torch.float32) * -(math.log(10000.0) / (half - 1)))
    angles = (guidance_scale - 1) * 1000.0 * frequencies
    embedding = torch.nn.functional.pad(torch.cat([angles.sin(), angles.cos()]), (0, width % 2))
    return embedding.to(unet.device, unet.dtype).expand(batch, width)
