"""Deterministic DDIM (Song et al., arXiv 2010.02502, eq. 12 with σ = 0) and its inverse, for ε- and
v-prediction.

Signal level: ᾱ in 0…1, 1 is clean. Latents and model outputs have shape (B, C, h, w) and keep their number
format.
"""

from __future__ import annotations

from math import sqrt

from torch import Tensor


def timestep_schedule(steps: int, train_steps: int = 1000, t_max: int = 999) -> list[int]:
    """`steps` timesteps in strictly descending order, evenly spaced, beginning at `t_max`.

    "Trailing" spacing (Lin et al., arXiv 2305.08891, table 2): step i is round(n - i n / steps) - 1 with n =
    t_max + 1, so the first is always `t_max` and the last is about n / steps - 1, one step above the clean
    latent. `t_max` lies in 0 … train_steps - 1 and `steps` in 1 … t_max + 1, else `ValueError`.
    """
    if not 0 <= t_max < train_steps:
        raise ValueError(f"t_max must lie in 0 … {train_steps - 1}, not {t_max}")
    if not 1 <= steps <= t_max + 1:
        raise ValueError(f"steps must lie in 1 … {t_max + 1} (t_max + 1), not {steps}")
    count = t_max + 1
    return [round(count - i * (count / steps)) - 1 for i in range(steps)]


def split_prediction(latents: Tensor, output: Tensor, alpha_bar: float, prediction_type: str) -> tuple[Tensor, Tensor]:
    """What the model thinks the clean latent x_0 and the noise ε in `latents` are.

    ε-form: x_0 = (x - √(1-ᾱ) ε) / √ᾱ. v-form (Salimans and Ho, arXiv 2202.00512, appendix D):
    x_0 = √ᾱ x - √(1-ᾱ) v and ε = √ᾱ v + √(1-ᾱ) x.
    """
    signal, noise = sqrt(alpha_bar), sqrt(1 - alpha_bar)
    if prediction_type == "epsilon":
        if alpha_bar == 0:
            raise ValueError("an epsilon model says nothing at alpha_bar 0 (zero terminal SNR): lower t_max")
        return (latents - noise * output) / signal, output
    if prediction_type == "v_prediction":
        return signal * latents - noise * output, signal * output + noise * latents
    raise ValueError(f"prediction_type must be 'epsilon' or 'v_prediction', not {prediction_type!r}")


def ddim_step(
    latents: Tensor, output: Tensor, alpha_bar_t: float, alpha_bar_prev: float, prediction_type: str
) -> Tensor:
    """One step down: from signal level `alpha_bar_t` to the cleaner `alpha_bar_prev`."""
    clean, noise = split_prediction(latents, output, alpha_bar_t, prediction_type)
    return sqrt(alpha_bar_prev) * clean + sqrt(1 - alpha_bar_prev) * noise


def ddim_inverse_step(
    latents: Tensor, output: Tensor, alpha_bar: float, alpha_bar_next: float, prediction_type: str
) -> Tensor:
    """One step up: `latents` at level `alpha_bar` to the noisier `alpha_bar_next`.

    The same straight line as `ddim_step` walked the other way. `output` is the model's answer to these
    latents, so going up and then down is exact only to first order in the step.
    """
    clean, noise = split_prediction(latents, output, alpha_bar, prediction_type)
    return sqrt(alpha_bar_next) * clean + sqrt(1 - alpha_bar_next) * noise


def ddim_exact_inverse(
    latents: Tensor, output: Tensor, alpha_bar: float, alpha_bar_next: float, prediction_type: str
) -> Tensor:
    """The latents at `alpha_bar_next` that `ddim_step` takes to `latents`, given the model's `output`
    *there*.

    Solves `ddim_step` for its first argument. In v-form with angles √ᾱ = cos φ: x_next = (x + v sin Δφ) / cos
    Δφ. Equal to `ddim_inverse_step` in ε-form.
    """
    if prediction_type == "epsilon":
        return ddim_inverse_step(latents, output, alpha_bar, alpha_bar_next, prediction_type)
    signal, noise = sqrt(alpha_bar), sqrt(1 - alpha_bar)
    signal_next, noise_next = sqrt(alpha_bar_next), sqrt(1 - alpha_bar_next)
    cosine = signal * signal_next + noise * noise_next
    sine = noise_next * signal - signal_next * noise
    return (latents + sine * output) / cosine
