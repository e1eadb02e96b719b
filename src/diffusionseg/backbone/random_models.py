"""Generators with random weights: tiny ones for tests, full-size ones to measure time and memory.

They need no download, so they say whether the code runs and what it costs, never how good a picture is.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from diffusionseg.backbone.architectures import (
    FULL_SIZE,
    SCHEDULER,
    TEXT_ENCODERS,
    TINY,
    FullSizeFamily,
    TinyFamily,
)
from diffusionseg.backbone.byte_tokenizer import byte_tokenizer
from diffusionseg.backbone.model import Backbone

_POOL = 4_194_301
"""Length of the block of random numbers that fills full-size weights: a prime, so that no two rows repeat."""


def tiny_backbone(family: TinyFamily = "sd1", seed: int = 0) -> Backbone:
    """A random generator of well under a million parameters on the CPU, in float32; the same for the same
    seed.

    Pictures of 64×64 pixels, latents of 32×32, attention at 32×32 and 16×16. Families: `sd1` (ε), `sd2-v`
    (v-prediction, linear projections), `sdxl` (two text encoders, micro-conditioning).
    """
    config = TINY[family]
    tokenizer = byte_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = UNet2DConditionModel(**config["unet"])
        vae = AutoencoderKL(**config["vae"])
        encoders = [_text_encoder(second, text, tokenizer) for second, text in enumerate(config["text_encoders"])]
    return _assemble(f"tiny-{family}", unet, vae, encoders, tokenizer, config)


def full_size_backbone(family: FullSizeFamily = "sd15", dtype: torch.dtype = torch.bfloat16, seed: int = 0) -> Backbone:
    """Stable Diffusion 1.5 (`sd15`), 2.1 (`sd21`, v-prediction) or XL (`sdxl`): exact architecture, random
    weights.

    Built without ever holding float32 weights: about 2.1, 2.6 and 7 GB in bfloat16. The text encoders have
    full-size vocabularies, of which the byte-level tokenizer uses the first few hundred entries.
    """
    config = FULL_SIZE[family]
    tokenizer = byte_tokenizer()
    with torch.device("meta"):
        unet = UNet2DConditionModel(**config["unet"])
        vae = AutoencoderKL(**config["vae"])
        encoders = [
            _text_encoder(second, TEXT_ENCODERS[text], tokenizer) for second, text in enumerate(config["text_encoders"])
        ]
    pool = torch.randn(_POOL, generator=torch.Generator().manual_seed(seed)).to(dtype)
    for model in (unet, vae, *encoders):
        _materialise(model, dtype, pool)
    return _assemble(f"random-{family}", unet, vae, encoders, tokenizer, config)


def _text_encoder(second: int, config: dict[str, Any], tokenizer: Any) -> Any:
    cls = CLIPTextModelWithProjection if second else CLIPTextModel
    return cls(
        CLIPTextConfig(
            **{"vocab_size": len(tokenizer), **config},
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def _assemble(name: str, unet: Any, vae: Any, encoders: list[Any], tokenizer: Any, config: dict[str, Any]) -> Backbone:
    return Backbone(
        unet=unet,
        vae=vae,
        text_encoders=encoders,
        tokenizers=[tokenizer] * len(encoders),
        scheduler_config=SCHEDULER | {"prediction_type": config["prediction_type"]},
        name=name,
    )


@torch.no_grad()
def _materialise(model: Any, dtype: torch.dtype, pool: torch.Tensor) -> None:
    """Give a model on the meta device memory and values: matrices ~ N(0, 1/fan_in), norms 1, biases 0."""
    torch.nn.Module.to(model, dtype=dtype).to_empty(device="cpu")
    offset = 0
    for parameter in model.parameters():
        if parameter.ndim < 2:
            parameter.fill_(0)
            continue
        flat = parameter.view(-1)
        for start in range(0, len(flat), _POOL - offset):
            flat[start : start + _POOL - offset] = pool[offset : offset + len(flat) - start]
        parameter.mul_(parameter[0].numel() ** -0.5)
        offset = (offset + 977) % (_POOL // 2)
    for module in model.modules():
        if isinstance(module, torch.nn.GroupNorm | torch.nn.LayerNorm) and module.weight is not None:
            module.weight.fill_(1)
    for name, buffer in model.named_buffers():
        if not name.endswith("position_ids"):
            raise RuntimeError(f"{type(model).__name__} has a buffer {name} of unknown content")
        buffer.copy_(torch.arange(buffer.shape[-1]).expand_as(buffer))
