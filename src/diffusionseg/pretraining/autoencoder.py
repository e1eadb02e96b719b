"""A small `AutoencoderKL` whose latent space is the principal components of 4×4 pixel patches.

Latents whitened to equal variance make a small generator learn texture before shape. Principal components under one
global scale keep the natural spectrum, in which low frequencies carry most of the variance. The encoder is trained to
give those components and the decoder to turn them back into pixels, so that the result is an ordinary diffusers model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from diffusionseg.backbone import computes_bfloat16
from diffusionseg.training import step_generator

PATCH = 4
"""Pixels per latent cell and side."""
PEAK = 2e-3
"""Highest learning rate."""


@dataclass(frozen=True)
class PatchComponents:
    """Linear map from 4×4 RGB patches in [−1, 1] to latents of unit overall variance."""

    basis: Tensor
    """(C, 48) rows are principal directions divided by the global scale."""
    mean: Tensor
    """(48,) mean patch."""

    def encode(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] → (B, C, H/4, W/4)."""
        weight = self.basis.view(-1, 3, PATCH, PATCH)
        bias = -(self.basis @ self.mean)
        return functional.conv2d(images * 2 - 1, weight, bias, stride=PATCH)


def fit_patch_components(images: NDArray[np.uint8], channels: int) -> PatchComponents:
    """Principal components of all patches of (N, H, W, 3) pictures, scaled by one number to overall variance 1.

    Raises ValueError where all pixels are alike.
    """
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    patches = functional.pixel_unshuffle(pixels, PATCH).flatten(2).transpose(1, 2).reshape(-1, 3 * PATCH**2)
    mean = patches.mean(0)
    _, directions = torch.linalg.eigh(torch.cov(patches.T))
    basis = directions.flip(1)[:, :channels].T
    basis = basis * torch.where(basis.sum(1, keepdim=True) < 0, -1.0, 1.0)
    scale = ((patches - mean) @ basis.T).std()
    if not scale > 0:
        raise ValueError("the photographs are of a single colour; there is nothing to learn from them")
    return PatchComponents((basis / scale).contiguous(), mean)


def build_autoencoder(channels: int, image_size: int) -> AutoencoderKL:
    """An untrained `AutoencoderKL` of about one million parameters with `channels` latent channels."""
    return AutoencoderKL(
        block_out_channels=(32, 64, 96),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=channels,
        layers_per_block=1,
        norm_num_groups=8,
        sample_size=image_size,
        scaling_factor=1.0,
        mid_block_add_attention=False,
    )


def autoencoder_optimizer(vae: AutoencoderKL) -> torch.optim.AdamW:
    """The optimiser of `autoencoder_steps`."""
    return torch.optim.AdamW(vae.parameters(), PEAK, weight_decay=1e-4, betas=(0.9, 0.99))


def autoencoder_loss(
    vae: AutoencoderKL, components: PatchComponents, images: Tensor, drawn: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Latent error against the components, and pixel error of the decoder, for (B, 3, H, W) pictures in [0, 1].

    The decoder sees slightly noisy latents, as sampled latents are never exact; the noise is of `drawn`.
    """
    target = components.encode(images)
    moments = vae.quant_conv(vae.encoder(images * 2 - 1)).float()
    mean, log_variance = moments.chunk(2, dim=1)
    latent_error = functional.mse_loss(mean, target) + 1e-4 * functional.mse_loss(
        log_variance, torch.full_like(mean, -12.0)
    )
    noisy = target + 0.05 * torch.randn(target.shape, generator=drawn, device=target.device)
    pixels = vae.decoder(vae.post_quant_conv(noisy)).float()
    return latent_error, functional.l1_loss(pixels, images * 2 - 1)


def autoencoder_steps(
    vae: AutoencoderKL,
    optimizer: torch.optim.Optimizer,
    components: PatchComponents,
    images: NDArray[np.uint8],
    *,
    first: int = 0,
    steps: int,
    batch_size: int,
    seed: int,
) -> Iterator[tuple[int, float, float]]:
    """Train in place from step `first` on; yields (step, latent error, pixel error) after every step.

    What a step draws depends on seed and step alone.
    """
    vae.train()
    device = next(vae.parameters()).device
    # Where a twentieth is one step, the schedule would divide by zero.
    rising = 0.1 if steps == 20 else 0.05
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, total_steps=steps, pct_start=rising)
    if first:
        # Of the same optimiser, which the one above has given what this one goes on from.
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, PEAK, total_steps=steps, pct_start=rising, last_epoch=first - 1
        )
    for step in range(first, steps):
        rng = np.random.default_rng((seed, step))
        chosen = images[rng.integers(len(images), size=batch_size)]
        if rng.random() < 0.5:
            chosen = chosen[:, :, ::-1]
        batch = torch.from_numpy(np.ascontiguousarray(chosen)).permute(0, 3, 1, 2).to(device).float() / 255
        with torch.autocast(device.type, torch.bfloat16, enabled=computes_bfloat16(device)):
            latent_error, pixel_error = autoencoder_loss(vae, components, batch, step_generator(seed, step, device))
        optimizer.zero_grad(set_to_none=True)
        (latent_error + pixel_error).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        yield step, latent_error.item(), pixel_error.item()
    vae.eval()
