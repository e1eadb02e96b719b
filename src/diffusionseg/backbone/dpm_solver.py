"""DPM-Solver++(2M) (Lu et al., arXiv 2211.01095, algorithm 2): a step of DDIM that also knows the step before.

Signal level: ᾱ in 0…1, 1 is clean; α = √ᾱ and σ = √(1-ᾱ). Latents have shape (B, C, h, w).
"""

from __future__ import annotations

from math import inf, log, sqrt
from typing import NamedTuple

from torch import Tensor


class Estimate(NamedTuple):
    """What the model thought the clean latent is."""

    clean: Tensor
    """x_0."""
    alpha_bar: float
    """Signal level of the latents that it was asked about."""


def dpm_solver_step(latents: Tensor, now: Estimate, before: Estimate | None, alpha_bar_next: float) -> Tensor:
    """One step down from `now.alpha_bar` to the cleaner `alpha_bar_next`.

    The clean latent is taken from the straight line through the model's estimates `now` and `before`, over half of the
    logarithm λ of the signal-to-noise ratio: D = x_0 + h / (2 h_before) (x_0 - x_0,before), h and h_before being what
    this step and the last one add to λ; then x_next = σ_next / σ x + (α_next - σ_next α / σ) D. With no estimate
    `before`, and down to the clean latent, where h is infinite, D = x_0: the step of DDIM.
    """
    target = now.clean
    width = _half_log_snr(alpha_bar_next) - _half_log_snr(now.alpha_bar)
    if before is not None and width < inf:
        last_width = _half_log_snr(now.alpha_bar) - _half_log_snr(before.alpha_bar)
        target = target + width / (2 * last_width) * (target - before.clean)
    signal, noise = sqrt(now.alpha_bar), sqrt(1 - now.alpha_bar)
    signal_next, noise_next = sqrt(alpha_bar_next), sqrt(1 - alpha_bar_next)
    return noise_next / noise * latents + (signal_next - noise_next * signal / noise) * target


def _half_log_snr(alpha_bar: float) -> float:
    """λ = log(α / σ), -∞ for pure noise and ∞ for the clean latent."""
    if alpha_bar <= 0:
        return -inf
    return inf if alpha_bar >= 1 else (log(alpha_bar) - log(1 - alpha_bar)) / 2
