"""Inversion against diffusers' inverse scheduler, and there and back in float64."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMInverseScheduler

from diffusionseg.backbone import invert, sample
from diffusionseg.backbone.ddim import timestep_schedule
from diffusionseg.backbone.random_models import tiny_backbone


@pytest.mark.parametrize("steps", [4, 10])
def test_trajectory_is_that_of_diffusers_inverse_scheduler(backbone, noise, steps):
    scheduler = DDIMInverseScheduler.from_config(backbone.scheduler_config | {"timestep_spacing": "trailing"})
    scheduler.set_timesteps(steps)
    conditioning = backbone.encode_prompts(["a cat"])
    expected = latents = noise(1, 4, 16, 16)
    for t, mine in invert(backbone, latents, conditioning, timestep_schedule(steps)):
        assert t == scheduler.timesteps[len(range(0, t, 1000 // steps)) - 1]
        output = backbone.denoise(expected, t, conditioning)
        expected = scheduler.step(output, t, expected).prev_sample
        torch.testing.assert_close(mine, expected, rtol=1e-4, atol=1e-4)
    assert t == 999


@pytest.mark.parametrize("family", ["sd1", "sd2-v"])
@pytest.mark.parametrize(("refinements", "bound"), [(0, 0.1), (12, 1e-7)])
def test_there_and_back(family, refinements, bound, noise, record_property):
    backbone = tiny_backbone(family).to(dtype=torch.float64)
    start = noise(1, 4, 16, 16).double()
    prompt, schedule = backbone.empty_prompt(1), timestep_schedule(25, t_max=600)
    *_, (_, top) = invert(backbone, start, prompt, schedule, refinements=refinements)
    *_, (_, back) = sample(backbone, top, prompt, schedule)
    assert back.dtype == torch.float64
    error = float((back - start).norm() / start.norm())
    record_property("relative_error", error)
    print(f"\n{family}, {refinements} refinements: relative error of invert then sample {error:.2e}")
    assert error < bound
    # The way led somewhere: the top is not simply the start.
    assert float((top - start).norm() / start.norm()) > 0.1


def test_more_steps_reconstruct_better(noise):
    backbone = tiny_backbone("sd2-v").to(dtype=torch.float64)
    start, prompt = noise(1, 4, 16, 16).double(), backbone.empty_prompt(1)
    errors = []
    for steps in (5, 40):
        schedule = timestep_schedule(steps, t_max=600)
        *_, (_, top) = invert(backbone, start, prompt, schedule)
        *_, (_, back) = sample(backbone, top, prompt, schedule)
        errors.append(float((back - start).norm() / start.norm()))
    assert errors[1] < errors[0] / 3


def test_order_of_timesteps_does_not_matter_and_both_ways_are_sorted(tiny, noise):
    backbone = tiny("sd1")
    prompt, latents = backbone.empty_prompt(1), noise(1, 4, 16, 16)
    up = [t for t, _ in invert(backbone, latents, prompt, [300, 100, 200, 100])]
    down = [t for t, _ in sample(backbone, latents, prompt, [100, 300, 200])]
    assert up == [100, 200, 300]
    assert down == [300, 200, 100]


def test_predict_replaces_the_model(tiny, noise):
    backbone, latents, asked = tiny("sd1"), noise(1, 4, 16, 16), []

    def zero(x, t):
        asked.append(t)
        return torch.zeros_like(x)

    *_, (_, top) = invert(backbone, latents, backbone.empty_prompt(1), [250, 500], predict=zero)
    ratio = (float(backbone.alphas_cumprod[500]) / backbone.final_alpha_cumprod) ** 0.5
    torch.testing.assert_close(top, latents * ratio)
    assert asked == [250, 500]


def test_half_latents_are_walked_in_float32(tiny, noise):
    backbone = tiny("sd1")
    (_, first), *_ = sample(backbone, noise(1, 4, 16, 16).half(), backbone.empty_prompt(1), [10])
    assert first.dtype == torch.float32


def test_timestep_outside_the_schedule(tiny, noise):
    backbone = tiny("sd1")
    with pytest.raises(ValueError, match=r"timestep must lie in 0 … 999, not 1000"):
        next(invert(backbone, noise(1, 4, 16, 16), backbone.empty_prompt(1), [1000]))
