"""The autoencoder of a run: taken from an earlier one, or trained on photographs."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from diffusionseg.pretraining.autoencoder import (
    PatchComponents,
    autoencoder_optimizer,
    autoencoder_steps,
    build_autoencoder,
    fit_patch_components,
)
from diffusionseg.pretraining.config import PretrainConfig, Report
from diffusionseg.pretraining.photos import Photos
from diffusionseg.pretraining.saving import load_autoencoder, save_autoencoder
from diffusionseg.training import load_checkpoint, save_checkpoint


def trained_autoencoder(
    photos: Photos,
    directory: Path,
    config: PretrainConfig,
    start_from: Path | None,
    device: torch.device,
    report: Report,
) -> tuple[AutoencoderKL, PatchComponents]:
    """That of the folder `directory`, made first where it is not there: of `start_from`, or trained on the photographs,
    which goes on where an earlier run was killed."""
    place = directory.parent.parent / "autoencoder"
    if not directory.is_dir():
        if start_from is not None:
            save_autoencoder(directory, *load_autoencoder(start_from / "vae"))
        else:
            save_autoencoder(directory, *_train_autoencoder(photos, place, config, device, report))
    # Also where an earlier run was killed before it came here.
    shutil.rmtree(place, ignore_errors=True)
    return load_autoencoder(directory)


def _train_autoencoder(
    photos: Photos, place: Path, config: PretrainConfig, device: torch.device, report: Report
) -> tuple[AutoencoderKL, PatchComponents]:
    rng = np.random.default_rng(config.seed)
    some = photos.images[rng.permutation(len(photos))[:4000]]
    components = fit_patch_components(some, config.generator.latent_channels)
    torch.manual_seed(config.seed)
    vae = build_autoencoder(config.generator.latent_channels, config.image_size).to(device)
    optimizer = autoencoder_optimizer(vae)
    resumed = load_checkpoint(place, vae, None, optimizer)
    total, first = config.autoencoder_steps, resumed[0] if resumed else 0
    for step, latent, pixel in autoencoder_steps(
        vae, optimizer, components, photos.images, first=first, steps=total, batch_size=24, seed=config.seed
    ):
        if not math.isfinite(latent + pixel):
            raise ValueError(
                f"the autoencoder's error is no number at step {step}; start again in another --out with another --seed"
            )
        report("autoencoder", step + 1, total, {"latent_mse": latent, "pixel_l1": pixel})
        if (step + 1) % config.save_every == 0 and step + 1 < total:
            place.mkdir(exist_ok=True)
            save_checkpoint(place, step + 1, vae, None, optimizer, {})
    return vae, components
