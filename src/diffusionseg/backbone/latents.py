"""Between pictures and the generator's latents, through its VAE."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def check_images(images: Tensor, downscale: int) -> None:
    """Refuse what the VAE would silently misread: wrong shape, integers, values outside 0…1, indivisible
    sizes."""
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"images must have shape (B, 3, H, W), not {tuple(images.shape)}")
    if not images.is_floating_point():
        raise ValueError(f"images must be floating point in 0…1, not {images.dtype}: divide 8-bit pixels by 255")
    height, width = images.shape[-2:]
    if height % downscale or width % downscale or not height or not width:
        nearest = [max(downscale, round(side / downscale) * downscale) for side in (height, width)]
        raise ValueError(
            f"image size {height}x{width} (height x width) is not a multiple of {downscale}, "
            f"the pixels per latent cell: resize or pad it, for instance to {nearest[0]}x{nearest[1]}"
        )
    low, high = (float(value) for value in torch.aminmax(images))
    # Not `low < 0 or high > 1`: that lets NaN through.
    if not (low >= -1e-3 and high <= 1 + 1e-3):
        raise ValueError(f"image values must lie in 0…1, these lie in {low:.3g}…{high:.3g}")


def check_scale(vae: Any) -> None:
    """Raise ValueError for a VAE whose configuration gives latents no scale."""
    offset, scale = _affine(vae, torch.zeros(1))
    if not (offset.isfinite().all() and scale.isfinite().all() and (scale != 0).all()):
        raise ValueError("the VAE's scaling_factor, shift_factor, latents_mean and latents_std must be finite")


@torch.no_grad()
def encode_images(vae: Any, images: Tensor) -> Tensor:
    """Posterior mean of the VAE in the generator's scale: images (B, 3, H, W) in 0…1 to latents (B, C, h, w)
    float32.

    The mean, not a sample, so that the same picture always gives the same latent. A float64 VAE gives
    float64.
    """
    pixels = images.to(_weight(vae)) * 2 - 1
    mean = _at_least_float32(vae.encode(pixels).latent_dist.mean)
    offset, scale = _affine(vae, mean)
    # A VAE that computes channels-last gives its results so; they should not depend on how it computes.
    return ((mean - offset) * scale).contiguous()


@torch.no_grad()
def decode_latents(vae: Any, latents: Tensor) -> Tensor:
    """Latents (B, C, h, w) in the generator's scale to images (B, 3, H, W) float32 in 0…1."""
    weight = _weight(vae)
    latents = _at_least_float32(latents.to(weight.device))
    offset, scale = _affine(vae, latents)
    pixels = _at_least_float32(vae.decode((latents / scale + offset).to(weight)).sample)
    # An overflow is no number, not white.
    pixels = pixels.masked_fill(pixels.isinf(), float("nan"))
    return (pixels / 2 + 0.5).clamp(0, 1).contiguous()


def _weight(vae: Any) -> Tensor:
    """One that tells device and number format; diffusers' own properties look through all modules for them."""
    weight: Tensor = next(vae.parameters())
    return weight


def _affine(vae: Any, like: Tensor) -> tuple[Tensor, Tensor]:
    """Offset and factor with `latent = (mean - offset) * factor`, each broadcastable to (B, C, h, w)."""
    config = vae.config
    scale = like.new_tensor(float(config.scaling_factor))
    offset = like.new_tensor(float(getattr(config, "shift_factor", None) or 0.0))
    mean, std = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
    if mean is not None:
        offset = offset + like.new_tensor(mean).view(1, -1, 1, 1)
    if std is not None:
        scale = scale / like.new_tensor(std).view(1, -1, 1, 1)
    return offset, scale


def _at_least_float32(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))
