"""Generators that benchmarks time."""

from __future__ import annotations

import torch

from diffusionseg.backbone import Backbone
from diffusionseg.backbone.architectures import FULL_SIZE
from diffusionseg.backbone.random_models import full_size_backbone


def load(model: str, dtype: torch.dtype = torch.float32) -> Backbone:
    """`mini`, a folder, a hub id, or a family of full size with random weights (`sd15`), on the CPU."""
    if model in FULL_SIZE:
        return full_size_backbone(model, dtype)
    return Backbone.from_pretrained(model, device="cpu", dtype=dtype)
