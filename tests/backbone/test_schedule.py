"""Noise schedules read from any scheduler's configuration, against those schedulers themselves."""

from __future__ import annotations

import diffusers
import pytest
import torch

from diffusionseg.backbone.schedule import add_noise, noise_schedule

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Euler under NumPy 2
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("DDIMScheduler", {**SD, "set_alpha_to_one": False}),
        ("PNDMScheduler", {**SD, "skip_prk_steps": True}),
        ("EulerDiscreteScheduler", {**SD, "timestep_spacing": "trailing"}),
        ("EulerAncestralDiscreteScheduler", SD),
        ("DPMSolverMultistepScheduler", SD),
        ("LCMScheduler", {}),
        ("DDIMScheduler", {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"}),
    ],
)
def test_alphas_are_those_of_the_scheduler(name, options):
    scheduler = getattr(diffusers, name)(**options)
    schedule = noise_schedule(dict(scheduler.config))
    assert schedule.alphas_cumprod.dtype == torch.float64
    torch.testing.assert_close(schedule.alphas_cumprod.float(), scheduler.alphas_cumprod, rtol=1e-6, atol=0)
    assert schedule.prediction_type == scheduler.config.prediction_type


def test_missing_fields_take_the_defaults_of_the_named_class():
    # LCM's own defaults are Stable Diffusion's betas, DDIM's are not.
    lcm = noise_schedule({"_class_name": "LCMScheduler"})
    torch.testing.assert_close(lcm.alphas_cumprod.float(), diffusers.LCMScheduler().alphas_cumprod)
    assert not torch.equal(lcm.alphas_cumprod, noise_schedule({}).alphas_cumprod)


def test_zero_terminal_snr_is_respected():
    schedule = noise_schedule({**SD, "rescale_betas_zero_snr": True, "prediction_type": "v_prediction"})
    assert schedule.alphas_cumprod[-1] == 0
    assert noise_schedule(SD).alphas_cumprod[-1] > 0


def test_level_of_the_clean_latent():
    first = noise_schedule({**SD, "set_alpha_to_one": False})
    assert first.final_alpha_cumprod == float(first.alphas_cumprod[0])
    assert noise_schedule(SD).final_alpha_cumprod == 1


def test_other_prediction_types_are_refused():
    with pytest.raises(ValueError, match="prediction_type 'sample'"):
        noise_schedule({**SD, "prediction_type": "sample"})


def test_add_noise_is_diffusers_forward_process(noise):
    scheduler = diffusers.DDIMScheduler(**SD)
    latents, eps = noise(2, 4, 8, 8), noise(2, 4, 8, 8).flip(0)
    alphas = noise_schedule(SD).alphas_cumprod
    for t in (0, 400, 999):
        expected = scheduler.add_noise(latents, eps, torch.tensor([t, t]))
        torch.testing.assert_close(add_noise(latents, eps, float(alphas[t])), expected)
