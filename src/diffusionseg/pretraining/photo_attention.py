"""Where a generator's attention finds an object of known class in a real photograph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from diffusionseg.backbone import AttentionMaps, AttentionTap, Backbone
from diffusionseg.backbone.schedule import add_noise
from diffusionseg.exploitation.features import as_tensor
from diffusionseg.prediction.squeeze import squeeze
from diffusionseg.synthesis.prompts import make_prompt

PROMPT = "a photo of {article} {name}"
"""The plainest caption, one of those that a generator is trained on."""


@torch.no_grad()
def photo_attention(
    backbone: Backbone,
    image: NDArray[np.uint8],
    name: str,
    timesteps: Sequence[int],
    noises: int,
    *,
    seed: int = 0,
    min_tokens: int = 196,
) -> AttentionMaps:
    """Attention of a photograph (H, W, 3) uint8 to its class `name`: one row, on the CPU.

    The photograph is squeezed to the generator's size, encoded, noised to each of `timesteps` (0…999) by the same
    `noises` noises, which depend on `seed` alone, and all that is averaged over layers of `min_tokens` to 1024
    positions each. Raises ValueError where `name` has no tokens of its own in the prompt, or no layer is of that size.
    """
    latents = backbone.encode_images(as_tensor([squeeze(image, backbone.image_size)], backbone.device))
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn((noises, *latents.shape[1:]), generator=generator).to(latents)
    conditioning = backbone.encode_prompts([make_prompt(PROMPT, name)] * noises, [name] * noises)
    with AttentionTap(backbone, conditioning, min_tokens=min_tokens) as tap:
        for t in timesteps:
            backbone.denoise(add_noise(latents, noise, float(backbone.alphas_cumprod[t])), t, conditioning)
    maps = tap.maps()
    return AttentionMaps(
        cross={layer: values.mean(0, keepdim=True).cpu() for layer, values in maps.cross.items()},
        self_={layer: values.mean(0, keepdim=True).cpu() for layer, values in maps.self_.items()},
        grids=maps.grids,
        steps=maps.steps,
    )
