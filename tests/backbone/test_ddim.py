"""The step formulas: algebra in float64, and diffusers' schedulers as oracle."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from diffusers import DDIMScheduler
from hypothesis import given
from hypothesis import strategies as st

from diffusionseg.backbone.ddim import (
    ddim_exact_inverse,
    ddim_inverse_step,
    ddim_step,
    split_prediction,
    timestep_schedule,
)

TYPES = ("epsilon", "v_prediction")
levels = st.floats(0.005, 0.999)


def pair():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 1, 4, 3, 3, generator=generator, dtype=torch.float64).unbind()


@pytest.mark.parametrize("steps", [1, 3, 4, 7, 10, 20, 30, 50, 999, 1000])
def test_schedule_is_diffusers_trailing_spacing(steps):
    scheduler = DDIMScheduler(timestep_spacing="trailing")
    scheduler.set_timesteps(steps)
    assert timestep_schedule(steps) == scheduler.timesteps.tolist()


@given(t_max=st.integers(0, 999), data=st.data())
def test_schedule_is_strictly_descending_from_t_max(t_max, data):
    steps = data.draw(st.integers(1, t_max + 1))
    schedule = timestep_schedule(steps, 1000, t_max)
    assert len(schedule) == steps
    assert schedule[0] == t_max
    assert schedule[-1] >= 0
    assert all(a > b for a, b in pairwise(schedule))


@pytest.mark.parametrize(("arguments", "name"), [((0,), "steps"), ((11, 1000, 9), "steps"), ((5, 1000, 1000), "t_max")])
def test_schedule_errors_name_the_argument(arguments, name):
    with pytest.raises(ValueError, match=f"^{name} must lie in"):
        timestep_schedule(*arguments)


@pytest.mark.parametrize("prediction_type", TYPES)
@given(alpha_bar=levels)
def test_split_puts_the_latent_back_together(prediction_type, alpha_bar):
    latents, output = pair()
    clean, noise = split_prediction(latents, output, alpha_bar, prediction_type)
    torch.testing.assert_close(alpha_bar**0.5 * clean + (1 - alpha_bar) ** 0.5 * noise, latents)


@given(alpha_bar=levels)
def test_split_recovers_what_was_mixed(alpha_bar):
    clean, noise = pair()
    latents = alpha_bar**0.5 * clean + (1 - alpha_bar) ** 0.5 * noise
    velocity = alpha_bar**0.5 * noise - (1 - alpha_bar) ** 0.5 * clean
    for output, kind in ((noise, "epsilon"), (velocity, "v_prediction")):
        found = split_prediction(latents, output, alpha_bar, kind)
        torch.testing.assert_close(found[0], clean, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(found[1], noise, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("prediction_type", TYPES)
@pytest.mark.parametrize("steps", [5, 50])
def test_step_is_diffusers_ddim(prediction_type, steps):
    scheduler = DDIMScheduler(prediction_type=prediction_type, timestep_spacing="trailing", clip_sample=False)
    scheduler.set_timesteps(steps)
    latents, output = (x.float() for x in pair())
    schedule = timestep_schedule(steps)
    for t, below in zip(schedule, [*schedule[1:], None], strict=True):
        a_t = float(scheduler.alphas_cumprod[t])
        a_prev = 1.0 if below is None else float(scheduler.alphas_cumprod[below])
        mine = ddim_step(latents, output, a_t, a_prev, prediction_type)
        torch.testing.assert_close(mine, scheduler.step(output, t, latents).prev_sample)


@pytest.mark.parametrize("prediction_type", TYPES)
@given(low=levels, high=levels)
def test_exact_inverse_undoes_the_step(prediction_type, low, high):
    below, output = pair()
    a_next, a = sorted((low, high))
    above = ddim_exact_inverse(below, output, a, a_next, prediction_type)
    torch.testing.assert_close(ddim_step(above, output, a_next, a, prediction_type), below, rtol=1e-8, atol=1e-8)


@given(low=levels, high=levels)
def test_inverse_step_in_epsilon_form_is_exact(low, high):
    below, output = pair()
    a_next, a = sorted((low, high))
    torch.testing.assert_close(
        ddim_inverse_step(below, output, a, a_next, "epsilon"),
        ddim_exact_inverse(below, output, a, a_next, "epsilon"),
    )


def test_epsilon_model_has_no_answer_in_pure_noise():
    latents, output = pair()
    with pytest.raises(ValueError, match="lower t_max"):
        ddim_step(latents, output, 0.0, 0.5, "epsilon")
    assert torch.isfinite(ddim_step(latents, output, 0.0, 0.5, "v_prediction")).all()


def test_unknown_form():
    latents, output = pair()
    with pytest.raises(ValueError, match="prediction_type"):
        ddim_step(latents, output, 0.5, 0.6, "sample")
