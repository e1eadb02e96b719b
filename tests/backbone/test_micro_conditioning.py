"""Sizes, guidance embedding, and the errors of a denoising call."""

from __future__ import annotations

import pytest
import torch
from diffusers import LatentConsistencyModelPipeline, UNet2DConditionModel

from diffusionseg.backbone import Backbone, Conditioning
from diffusionseg.backbone.architectures import TINY
from diffusionseg.backbone.micro_conditioning import guidance_embedding, time_ids
from diffusionseg.backbone.random_models import tiny_backbone


@pytest.fixture
def lcm(tiny) -> Backbone:
    parts = tiny("sd1")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = UNet2DConditionModel(**TINY["sd1"]["unet"], time_cond_proj_dim=17)
    return Backbone(
        unet=unet,
        vae=parts.vae,
        text_encoders=parts.text_encoders,
        tokenizers=parts.tokenizers,
        scheduler_config={"_class_name": "LCMScheduler"},
    )


@pytest.mark.parametrize("width", [16, 17, 256])
@pytest.mark.parametrize("scale", [1.0, 8.5])
def test_guidance_embedding_is_that_of_the_lcm_pipeline(width, scale):
    unet = UNet2DConditionModel(**TINY["sd1"]["unet"], time_cond_proj_dim=width)
    expected = LatentConsistencyModelPipeline.get_guidance_scale_embedding(
        None, torch.tensor([scale - 1]), embedding_dim=width
    )
    torch.testing.assert_close(guidance_embedding(unet, scale, 2), expected.expand(2, width))


def test_distilled_model_listens_to_the_guidance_scale_and_others_do_not(lcm, tiny, noise):
    latents = noise(1, 4, 16, 16)
    prompt = lcm.encode_prompts(["a cat"])
    assert not torch.equal(
        lcm.denoise(latents, 500, prompt, guidance_scale=1.0),
        lcm.denoise(latents, 500, prompt, guidance_scale=8.0),
    )
    plain = tiny("sd1")
    assert torch.equal(
        plain.denoise(latents, 500, prompt, guidance_scale=1.0),
        plain.denoise(latents, 500, prompt, guidance_scale=8.0),
    )


def test_time_ids_order():
    # original (height, width), crop (top, left), target (height, width)
    assert time_ids((768, 512), 2).tolist() == [[768, 512, 0, 0, 768, 512]] * 2


def test_sdxl_needs_pooled_embeddings(tiny, noise):
    backbone = tiny("sdxl")
    bare = Conditioning(backbone.empty_prompt(1).embeddings, None, ((),))
    with pytest.raises(ValueError, match="needs pooled embeddings"):
        backbone.denoise(noise(1, 4, 16, 16), 500, bare)


def test_rows_must_match(tiny, noise):
    backbone = tiny("sd1")
    with pytest.raises(ValueError, match="latents has 2 rows, conditioning 1"):
        backbone.denoise(noise(2, 4, 16, 16), 500, backbone.empty_prompt(1))


@pytest.mark.parametrize(("dtype", "expected"), [(torch.bfloat16, torch.float32), (torch.float64, torch.float64)])
def test_output_is_float32_or_better_and_without_gradient(noise, dtype, expected):
    backbone = tiny_backbone("sd1").to(dtype=dtype)
    output = backbone.denoise(noise(1, 4, 16, 16), 500, backbone.empty_prompt(1))
    assert output.dtype == expected
    assert not output.requires_grad
    assert not output.is_inference()
