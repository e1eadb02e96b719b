"""Diffusion features of real pictures: what the U-Net's layers hold along the noise trajectory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from diffusionseg.backbone.ddim import timestep_schedule
from diffusionseg.backbone.feature_tap import FeatureTap
from diffusionseg.backbone.inversion import invert
from diffusionseg.backbone.schedule import add_noise

if TYPE_CHECKING:
    from diffusionseg.backbone.model import Backbone

Mode = Literal["noise", "inversion"]


@torch.no_grad()
def extract_features(
    backbone: Backbone,
    images: Tensor,
    timesteps: Sequence[int],
    *,
    mode: Mode = "noise",
    layers: Sequence[str] | None = None,
    steps: int = 10,
    noise_seed: int = 0,
) -> dict[str, Tensor]:
    """Features of images (B, 3, H, W) or (3, H, W) in 0…1, keyed `f"{layer}@{t}"`, each (B, C, h, w) float32.

    Both modes use the empty prompt. `noise`: the latent is noised to each timestep with one fixed noise
    (drawn from `noise_seed` on the CPU, the same for every picture, so that no result depends on the batch),
    one U-Net call a timestep. `inversion`: DDIM inversion over `steps` timesteps up to max(timesteps), which
    are visited too, and one more U-Net call on the inverted latent at each asked timestep. `layers` None
    means every up block; nothing behind the last layer is computed.
    """
    if not timesteps:
        raise ValueError("timesteps is empty")
    last = len(backbone.alphas_cumprod) - 1
    if not all(0 <= t <= last for t in timesteps):
        raise ValueError(f"timesteps must lie in 0 … {last}, not {list(timesteps)}")
    latents = backbone.encode_images(images[None] if images.ndim == 3 else images)
    prompt = backbone.empty_prompt(len(latents))
    if mode == "noise":
        trajectory = _noised(backbone, latents, timesteps, noise_seed)
    elif mode == "inversion":
        highest = max(timesteps)
        schedule = timestep_schedule(min(steps, highest + 1), last + 1, highest)
        trajectory = invert(backbone, latents, prompt, {*schedule, *timesteps})
    else:
        raise ValueError(f"mode must be 'noise' or 'inversion', not {mode!r}")
    found = {}
    for t, noisy in trajectory:
        if t not in timesteps:
            continue
        with FeatureTap(backbone, layers, stop=True) as tap:
            backbone.denoise(noisy, t, prompt)
        _check_layers(tap)
        for layer, values in tap.features.items():
            found[f"{layer}@{t}"] = values.to(torch.promote_types(values.dtype, torch.float32))
    return found


def _check_layers(tap: FeatureTap) -> None:
    """Raise ValueError, naming it, for a layer that a call gave no feature map (B, C, h, w) of."""
    for layer in tap.layers:
        if layer not in tap.features:
            raise ValueError(
                f"layer {layer!r} gives nothing, since the U-Net does not call it as a whole; name its parts"
            )
        if tap.features[layer].ndim != 4:
            shape = tuple(tap.features[layer].shape)
            raise ValueError(
                f"layer {layer!r} gives no feature map (B, C, h, w), but {shape}; name a block or a resnet"
            )


def _noised(backbone: Backbone, latents: Tensor, timesteps: Sequence[int], seed: int) -> Iterator[tuple[int, Tensor]]:
    generator = torch.Generator("cpu").manual_seed(seed)
    noise = torch.randn(latents.shape[1:], generator=generator).to(latents)
    for t in sorted(set(timesteps)):
        yield t, add_noise(latents, noise, float(backbone.alphas_cumprod[t]))
