"""The noise schedule that a generator was trained with."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

import diffusers
import torch
from diffusers import DDIMScheduler
from torch import Tensor

_FIELDS = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "rescale_betas_zero_snr",
    "set_alpha_to_one",
    "prediction_type",
)
MOST_STEPS = 100_000
"""More timesteps than any generator is trained with."""
PREDICTION_TYPES = ("epsilon", "v_prediction")


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """What of a scheduler configuration does not depend on the sampler."""

    alphas_cumprod: Tensor
    """Share of signal variance ᾱ_t left at each training timestep, shape (T,), float64 on the CPU, descending
    in 0…1."""

    final_alpha_cumprod: float
    """ᾱ that stands for the clean latent, below timestep 0: 1, or ᾱ_0 where the configuration says so."""

    prediction_type: str
    """What the U-Net predicts: `epsilon` or `v_prediction`."""


def noise_schedule(config: Mapping[str, Any]) -> NoiseSchedule:
    """Read the schedule out of any diffusers scheduler configuration (DDIM, PNDM, Euler, LCM, …).

    Only the fields about betas are taken, with the defaults of the configuration's own class, and diffusers'
    `DDIMScheduler` computes from them. Raises `ValueError` for a prediction type other than ε and v, and for
    a schedule that is none.
    """
    source = getattr(diffusers, str(config.get("_class_name", "")), DDIMScheduler)
    own = inspect.signature(source.__init__).parameters
    fields = {}
    for name in _FIELDS:
        if name in config:
            fields[name] = config[name]
        elif name in own:
            fields[name] = own[name].default
    prediction_type = str(fields.get("prediction_type", "epsilon"))
    if prediction_type not in PREDICTION_TYPES:
        raise ValueError(f"prediction_type {prediction_type!r} is not supported: must be one of {PREDICTION_TYPES}")
    steps = fields.get("num_train_timesteps", 1000)
    if type(steps) is not int or not 1 <= steps <= MOST_STEPS:
        raise ValueError(f"num_train_timesteps must be in 1 … {MOST_STEPS}, got {steps!r}")
    scheduler = DDIMScheduler.from_config(fields)
    alphas_cumprod = scheduler.alphas_cumprod.to("cpu", torch.float64)
    if not (alphas_cumprod.min() >= 0 and alphas_cumprod.max() <= 1):
        raise ValueError("its betas leave shares of signal outside of 0 … 1")
    return NoiseSchedule(
        alphas_cumprod=alphas_cumprod,
        final_alpha_cumprod=float(scheduler.final_alpha_cumprod),
        prediction_type=prediction_type,
    )


def add_noise(latents: Tensor, noise: Tensor, alpha_bar: float) -> Tensor:
    """The forward process x_t = √ᾱ x_0 + √(1-ᾱ) ε (Ho et al., arXiv 2006.11239, eq. 4); all shapes (B, C, h,
    w)."""
    return latents * sqrt(alpha_bar) + noise * sqrt(1 - alpha_bar)
