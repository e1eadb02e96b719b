"""What a synthetic pair is made of, each step with what it needs at hand."""

from __future__ import annotations

from collections.abc import Callable

import torch

from diffusionseg.backbone import AttentionTap, Backbone
from diffusionseg.synthesis import SynthesisConfig
from diffusionseg.synthesis.sampling import cut_row, draft, synthesize_group

NAME, PROMPT = "sunflower", "a photo of a sunflower"


def unet_rows(config: SynthesisConfig) -> int:
    """Rows that the U-Net computes for one image: both halves of the guidance, and the fresh readings."""
    return config.steps * (2 if config.guidance > 1 else 1) + config.reread_noises * len(config.reread_timesteps)


def generator_steps(backbone: Backbone, config: SynthesisConfig) -> dict[str, Callable[[], object]]:
    """By name: one U-Net call for one image, the same with attention read, decoding, AttentionCut, a whole pair."""
    size = config.image_size or backbone.image_size
    side = size // backbone.downscale
    latents = torch.zeros(1, backbone.latent_channels, side, side, device=backbone.device)
    prompt = backbone.encode_prompts([PROMPT], [NAME])

    def tapped() -> AttentionTap:
        with AttentionTap(backbone, prompt, cross_layers=config.cross_layers, self_layers=config.self_layers) as tap:
            backbone.denoise(latents, 500, prompt)
        return tap

    maps = tapped().maps()
    picture = (backbone.decode_latents(latents)[0].permute(1, 2, 0) * 255).byte().cpu().numpy()
    return {
        "U-Net call": lambda: backbone.denoise(latents, 500, prompt),
        "U-Net call, attention read": tapped,
        "decoding": lambda: backbone.decode_latents(latents),
        "AttentionCut": lambda: cut_row(maps, 0, picture, config),
        "pair": lambda: synthesize_group(backbone, [draft(0, 0, 0, NAME)], config),
    }
