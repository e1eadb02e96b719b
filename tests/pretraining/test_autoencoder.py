"""Latents by principal components of patches."""

import numpy as np
import pytest
import torch

from diffusionseg.pretraining.autoencoder import (
    autoencoder_optimizer,
    autoencoder_steps,
    build_autoencoder,
    fit_patch_components,
)


def pictures(count=32, size=32):
    """Smooth random pictures (N, S, S, 3) uint8."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.random((count, 3, 4, 4))).float()
    fine = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic").clamp(0, 1)
    return (fine * 255).byte().permute(0, 2, 3, 1).numpy()


def test_components_have_unit_overall_variance_and_descending_spectrum():
    images = pictures()
    components = fit_patch_components(images, 6)
    latents = components.encode(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255)
    assert latents.shape == (32, 6, 8, 8)
    assert abs(latents.std().item() - 1) < 1e-3
    spread = latents.std((0, 2, 3))
    assert torch.all(spread[:-1] >= spread[1:] - 1e-6)


def test_all_components_keep_every_pixel():
    images = pictures(4)
    components = fit_patch_components(images, 48)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    patches = torch.nn.functional.pixel_unshuffle(pixels, 4)
    latents = components.encode((pixels + 1) / 2)
    # The basis is orthogonal up to the global scale, so projecting back is a pseudo-inverse.
    back = torch.einsum("bchw,cp->bphw", latents, torch.linalg.pinv(components.basis).T) + components.mean.view(
        1, -1, 1, 1
    )
    assert torch.allclose(back, patches, atol=1e-3)


def test_photographs_of_one_colour_are_refused():
    with pytest.raises(ValueError, match="of a single colour"):
        fit_patch_components(np.full((2, 8, 8, 3), 255, np.uint8), 4)


@pytest.mark.parametrize("steps", [1, 20])
def test_any_number_of_steps_is_trained(steps):
    images = pictures(4, 16)
    vae, components = build_autoencoder(4, 16), fit_patch_components(images, 4)
    optimizer = autoencoder_optimizer(vae)
    done = list(autoencoder_steps(vae, optimizer, components, images, steps=steps, batch_size=1, seed=0))
    assert len(done) == steps
    assert np.isfinite(done).all()


def test_training_brings_the_encoder_to_the_components(one_thread):
    images = pictures()
    components = fit_patch_components(images, 4)
    vae = build_autoencoder(4, 32)
    optimizer = autoencoder_optimizer(vae)
    steps = autoencoder_steps(vae, optimizer, components, images, steps=60, batch_size=8, seed=0)
    errors = [latent for _, latent, _ in steps]
    assert np.mean(errors[-5:]) < 0.25 * np.mean(errors[:3])
