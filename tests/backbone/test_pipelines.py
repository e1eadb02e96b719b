"""A saved generator opened by diffusers' own pipelines: same embeddings, latents and pictures."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers.utils import logging as diffusers_logging

from diffusionseg.backbone import Backbone, Conditioning, sample
from diffusionseg.backbone.ddim import timestep_schedule

PROMPT, SCALE, STEPS = "a photo of a golden retriever", 5.0, 4


@pytest.fixture(params=["sd1", "sd2-v", "sdxl"])
def pair(request, saved):
    """(our backbone, diffusers' pipeline) from the same folder."""
    diffusers_logging.disable_progress_bar()
    cls = StableDiffusionXLPipeline if request.param == "sdxl" else StableDiffusionPipeline
    pipe = cls.from_pretrained(saved(request.param), use_safetensors=True)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, timestep_spacing="trailing")
    yield Backbone.from_pretrained(saved(request.param), device="cpu"), pipe
    diffusers_logging.enable_progress_bar()


def test_embeddings(pair):
    backbone, pipe = pair
    conditioning, empty = backbone.encode_prompts([PROMPT]), backbone.empty_prompt(1)
    if len(backbone.text_encoders) == 1:
        positive, negative = pipe.encode_prompt(PROMPT, "cpu", 1, True)
    else:
        positive, negative, pooled, negative_pooled = pipe.encode_prompt(PROMPT, device="cpu")
        torch.testing.assert_close(conditioning.pooled, pooled)
        torch.testing.assert_close(empty.pooled, negative_pooled)
    torch.testing.assert_close(conditioning.embeddings, positive)
    torch.testing.assert_close(empty.embeddings, negative)


def test_guided_sampling_by_hand(pair, noise):
    backbone, pipe = pair
    start = noise(1, 4, 32, 32)
    size = {"height": 64, "width": 64}
    theirs = pipe(
        PROMPT, latents=start, guidance_scale=SCALE, num_inference_steps=STEPS, output_type="latent", **size
    ).images
    both = Conditioning.concat([backbone.empty_prompt(1), backbone.encode_prompts([PROMPT])])

    def guided(latents, t):
        without, with_ = backbone.denoise(torch.cat([latents, latents]), t, both).chunk(2)
        return without + SCALE * (with_ - without)

    *_, (_, mine) = sample(backbone, start, both, timestep_schedule(STEPS), predict=guided)
    torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-3)
    picture = pipe(
        PROMPT, latents=start, guidance_scale=SCALE, num_inference_steps=STEPS, output_type="pt", **size
    ).images
    torch.testing.assert_close(backbone.decode_latents(mine), picture, rtol=1e-3, atol=1e-3)


def test_size_conditioning_of_sdxl_counts(saved, noise):
    backbone = Backbone.from_pretrained(saved("sdxl"), device="cpu")
    prompt, latents = backbone.encode_prompts(["a cat"]), noise(1, 4, 16, 16)
    default = backbone.denoise(latents, 500, prompt)
    assert torch.equal(default, backbone.denoise(latents, 500, prompt, image_size=(32, 32)))
    assert not torch.equal(default, backbone.denoise(latents, 500, prompt, image_size=(64, 32)))
