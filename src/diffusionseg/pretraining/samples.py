"""What a generator in training draws."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from PIL import Image, ImageDraw
from torch import Tensor
from transformers import CLIPTokenizer

from diffusionseg.backbone import Backbone, Conditioning, sample
from diffusionseg.backbone.ddim import timestep_schedule
from diffusionseg.data import atomic_write
from diffusionseg.pretraining.generator import Generator, as_backbone, with_weights
from diffusionseg.pretraining.photo_attention import PROMPT
from diffusionseg.synthesis.prompts import make_prompt

CLASSES = 8
"""Most classes in a grid."""
EACH = 4
"""Pictures of each."""
STEPS = 20
GUIDANCE = 3.0
CAPTION = 14
"""Height of a class name above its pictures, in pixels."""


@torch.no_grad()
def write_sample_grid(
    path: Path,
    model: Generator,
    weights: Mapping[str, Tensor],
    vae: AutoencoderKL,
    tokenizer: CLIPTokenizer,
    names: Sequence[str],
    seed: int,
) -> None:
    """Write a PNG with four pictures that `model` with `weights` draws of each of up to eight of `names`, from the same
    noises at every call. `model` itself is left alone."""
    backbone = as_backbone(with_weights(model, weights), vae, tokenizer)
    shown = [names[i * len(names) // min(len(names), CLASSES)] for i in range(min(len(names), CLASSES))]
    side = backbone.image_size
    sheet = Image.new("RGB", (EACH * side, len(shown) * (side + CAPTION)), "white")
    for row, name in enumerate(shown):
        top = row * (side + CAPTION)
        ImageDraw.Draw(sheet).text((2, top), name, fill="black")
        for column, picture in enumerate(draw(backbone, [name] * EACH, seed)):
            sheet.paste(picture, (column * side, top + CAPTION))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    atomic_write(path, buffer.getvalue())


@torch.no_grad()
def draw(backbone: Backbone, names: Sequence[str], seed: int) -> list[Image.Image]:
    """A picture of each of `names`, of the generator's own size; what noise each place gets depends on `seed` alone."""
    side, count = backbone.image_size // backbone.downscale, len(names)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn((count, backbone.latent_channels, side, side), generator=generator).to(backbone.device)
    named = backbone.encode_prompts([make_prompt(PROMPT, name) for name in names])
    both = Conditioning.concat([backbone.empty_prompt(count), named])

    def guided(latents: Tensor, timestep: int) -> Tensor:
        without, with_name = backbone.denoise(torch.cat([latents, latents]), timestep, both).chunk(2)
        return without + GUIDANCE * (with_name - without)

    *_, (_, clean) = sample(backbone, noise, both, timestep_schedule(STEPS), predict=guided)
    pixels = backbone.decode_latents(clean).clamp(0, 1).permute(0, 2, 3, 1).mul(255).round().to(torch.uint8)
    return [Image.fromarray(array) for array in pixels.cpu().numpy()]
