"""Walking a latent up to noise (inversion) and down again (sampling) along the generator's own trajectory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor

from diffusionseg.backbone.conditioning import Conditioning
from diffusionseg.backbone.ddim import ddim_exact_inverse, ddim_inverse_step, ddim_step, split_prediction
from diffusionseg.backbone.dpm_solver import Estimate, dpm_solver_step

if TYPE_CHECKING:
    from diffusionseg.backbone.model import Backbone

Predict = Callable[[Tensor, int], Tensor]
"""`predict(latents, timestep)` gives the model output that a step uses; guidance and recording go in here."""

Solver = Literal["ddim", "dpm++"]
"""How `sample` steps: DDIM, or DPM-Solver++(2M), which needs fewer steps."""
SOLVERS: tuple[Solver, ...] = get_args(Solver)


def invert(
    backbone: Backbone,
    latents: Tensor,
    conditioning: Conditioning,
    timesteps: Iterable[int],
    *,
    refinements: int = 0,
    predict: Predict | None = None,
) -> Iterator[tuple[int, Tensor]]:
    """Deterministic DDIM inversion of clean `latents` (B, C, h, w); yields (t, latents at t), t ascending.

    `timesteps` is any order of the timesteps to visit (see `timestep_schedule`). The step to t asks the model
    at t, as diffusers' `DDIMInverseScheduler` does. `refinements` more calls a step solve the step's own
    equation by fixed point iteration (Pan et al., *AIDI*, arXiv 2309.04907), so that `sample` returns to
    where `invert` began.
    """
    ask = predict or _plain(backbone, conditioning)
    latents = _working_format(latents)
    level = backbone.final_alpha_cumprod
    for t in sorted(set(timesteps)):
        next_level = _level(backbone, t)
        output = ask(latents, t).to(latents.dtype)
        above = ddim_inverse_step(latents, output, level, next_level, backbone.prediction_type)
        for _ in range(refinements):
            output = ask(above, t).to(latents.dtype)
            above = ddim_exact_inverse(latents, output, level, next_level, backbone.prediction_type)
        latents, level = above, next_level
        yield t, latents


def sample(
    backbone: Backbone,
    latents: Tensor,
    conditioning: Conditioning,
    timesteps: Iterable[int],
    *,
    solver: Solver = "ddim",
    predict: Predict | None = None,
) -> Iterator[tuple[int, Tensor]]:
    """Deterministic sampling from noisy `latents` (B, C, h, w) at max(timesteps) down to the clean
    latent.

    Yields (t, latents after the step that left t), t descending; the last one is clean. `predict` replaces
    the plain call of the U-Net, for instance by classifier-free guidance; by default it is
    `backbone.denoise`. Raises `ValueError` for a solver that is none of `SOLVERS`.
    """
    if solver not in SOLVERS:
        raise ValueError(f"solver must be one of {', '.join(SOLVERS)}, got {solver!r}")
    ask = predict or _plain(backbone, conditioning)
    latents = _working_format(latents)
    before: Estimate | None = None
    descending = sorted(set(timesteps), reverse=True)
    for t, below in zip(descending, [*descending[1:], None], strict=True):
        next_level = backbone.final_alpha_cumprod if below is None else _level(backbone, below)
        output = ask(latents, t).to(latents.dtype)
        level = _level(backbone, t)
        if solver == "ddim":
            latents = ddim_step(latents, output, level, next_level, backbone.prediction_type)
        else:
            now = Estimate(split_prediction(latents, output, level, backbone.prediction_type)[0], level)
            # The last step is long in λ, where a line through two estimates overshoots.
            latents = dpm_solver_step(latents, now, None if below is None else before, next_level)
            before = now
        yield t, latents


def _plain(backbone: Backbone, conditioning: Conditioning) -> Predict:
    return lambda latents, t: backbone.denoise(latents, t, conditioning)


def _working_format(latents: Tensor) -> Tensor:
    """Half formats lose the small differences between neighbouring steps: walk in float32 at least."""
    return latents.to(torch.promote_types(latents.dtype, torch.float32))


def _level(backbone: Backbone, t: int) -> float:
    count = len(backbone.alphas_cumprod)
    if not 0 <= t < count:
        raise ValueError(f"timestep must lie in 0 … {count - 1}, not {t}")
    return float(backbone.alphas_cumprod[t])
