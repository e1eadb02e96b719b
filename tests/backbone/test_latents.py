"""Pictures to latents and back, and what is refused."""

from __future__ import annotations

import pytest
import torch

from diffusionseg.backbone.random_models import tiny_backbone


def test_latents_are_the_scaled_posterior_mean(backbone, pictures):
    images = pictures(2, 32, 48)
    latents = backbone.encode_images(images)
    assert latents.shape == (2, 4, 16, 24)
    assert latents.dtype == torch.float32
    expected = backbone.vae.encode(images * 2 - 1).latent_dist.mode() * backbone.vae.config.scaling_factor
    torch.testing.assert_close(latents, expected)
    assert latents.is_contiguous()


def test_decoding_is_clamped_to_pictures(backbone, noise):
    latents = noise(1, 4, 16, 24)
    images = backbone.decode_latents(latents)
    raw = backbone.vae.decode(latents / backbone.vae.config.scaling_factor).sample
    assert images.shape == (1, 3, 32, 48)
    torch.testing.assert_close(images, (raw / 2 + 0.5).clamp(0, 1))
    assert images.is_contiguous()


def test_shift_and_per_channel_statistics(pictures):
    backbone = tiny_backbone("sd1")
    images = pictures(1, 16, 16)
    plain = backbone.encode_images(images) / backbone.vae.config.scaling_factor
    mean, std = [0.1, -0.2, 0.3, 0.0], [1.0, 2.0, 0.5, 4.0]
    backbone.vae.register_to_config(shift_factor=0.25, latents_mean=mean, latents_std=std, scaling_factor=2.0)
    expected = (plain - 0.25 - torch.tensor(mean).view(1, 4, 1, 1)) * 2 / torch.tensor(std).view(1, 4, 1, 1)
    latents = backbone.encode_images(images)
    torch.testing.assert_close(latents, expected)
    # Decoding undoes the same map: the VAE sees its own mean again.
    seen = {}
    backbone.vae.post_quant_conv.register_forward_pre_hook(lambda _, args: seen.update(z=args[0]))
    backbone.decode_latents(latents)
    torch.testing.assert_close(seen["z"], plain, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(33, 32), (32, 31), (1, 1)])
def test_indivisible_size_names_the_size_and_the_remedy(tiny, height, width):
    with pytest.raises(ValueError, match=rf"{height}x{width}.*not a multiple of 2.*resize or pad"):
        tiny("sd1").encode_images(torch.zeros(1, 3, height, width))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(3, 32, 32), r"shape \(B, 3, H, W\)"),
        (torch.zeros(1, 4, 32, 32), r"shape \(B, 3, H, W\)"),
        (torch.zeros(1, 3, 32, 32, dtype=torch.uint8), "divide 8-bit pixels by 255"),
        (torch.full((1, 3, 32, 32), 255.0), "0…1"),
        (torch.full((1, 3, 32, 32), -1.0), "0…1"),
        (torch.full((1, 3, 32, 32), float("nan")), "0…1"),
    ],
)
def test_images_that_would_be_misread_are_refused(tiny, images, message):
    with pytest.raises(ValueError, match=message):
        tiny("sd1").encode_images(images)


def test_vae_that_overflows_in_half_is_kept_in_float32():
    backbone = tiny_backbone("sdxl").to(dtype=torch.float16)
    assert backbone.unet.dtype == torch.float16
    assert backbone.vae.dtype == torch.float32
    assert backbone.to(dtype=torch.bfloat16).vae.dtype == torch.bfloat16
    backbone.vae.register_to_config(force_upcast=False)
    assert backbone.to(dtype=torch.float16).vae.dtype == torch.float16
