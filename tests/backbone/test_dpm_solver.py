"""DPM-Solver++(2M): diffusers' scheduler as oracle, and an ordinary differential equation whose answer is known."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

import pytest
import torch
from diffusers import DPMSolverMultistepScheduler
from hypothesis import given
from hypothesis import strategies as st

from diffusionseg.backbone import Backbone, sample
from diffusionseg.backbone.ddim import ddim_step, split_prediction, timestep_schedule
from diffusionseg.backbone.dpm_solver import Estimate, dpm_solver_step

levels = st.floats(0.005, 0.999)


def two(dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 1, 4, 3, 3, generator=generator, dtype=dtype).unbind()


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@given(levels=st.tuples(levels, levels).map(sorted))
def test_first_and_last_step_are_ddim(prediction_type, levels):
    low, high = levels
    latents, output = two()
    now = Estimate(split_prediction(latents, output, low, prediction_type)[0], low)
    earlier = Estimate(output, low / 2)
    for found, target in (
        (dpm_solver_step(latents, now, None, high), high),
        (dpm_solver_step(latents, now, earlier, 1.0), 1.0),
    ):
        torch.testing.assert_close(found, ddim_step(latents, output, low, target, prediction_type))


def test_begins_at_pure_noise():
    latents, clean = two()
    at_noise = Estimate(clean, 0.0)
    torch.testing.assert_close(dpm_solver_step(latents, at_noise, None, 0.3), sqrt(0.3) * clean + sqrt(0.7) * latents)
    # The step from there is infinitely long, so the next one learns nothing from it.
    now = Estimate(latents, 0.3)
    assert dpm_solver_step(latents, now, at_noise, 0.6).equal(dpm_solver_step(latents, now, None, 0.6))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers with NumPy 2
@pytest.mark.parametrize("kind", ["sd1", "sd2-v"])
@pytest.mark.parametrize("steps", [2, 5, 9, 20])
def test_sampling_is_diffusers(kind, steps, saved, noise):
    backbone = Backbone.from_pretrained(saved(kind), device="cpu")
    scheduler = DPMSolverMultistepScheduler.from_config(
        backbone.scheduler_config,
        timestep_spacing="trailing",
        lower_order_final=True,
        euler_at_final=True,
        final_sigmas_type="sigma_min",
        prediction_type=backbone.prediction_type,
    )
    schedule = timestep_schedule(steps)
    scheduler.set_timesteps(timesteps=schedule)
    start, prompt = noise(1, 4, 16, 16), backbone.empty_prompt(1)
    theirs = start
    for t in scheduler.timesteps:
        theirs = scheduler.step(backbone.denoise(theirs, int(t), prompt), t, theirs).prev_sample
    *_, (_, mine) = sample(backbone, start, prompt, schedule, solver="dpm++")
    torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-3)
    if steps > 2:
        *_, (_, ddim) = sample(backbone, start, prompt, schedule)
        assert (mine - ddim).abs().max() > 1e-3


def test_nearer_to_the_equations_answer_than_ddim():
    """Where all data are N(0, s²), the best guess of x_0 is s² α / (s² α² + σ²) x, and the flow scales x by a known
    factor."""
    scale = 0.5
    rates = torch.linspace(-6, 6, 17, dtype=torch.float64).sigmoid().tolist()

    def spread(level):
        return sqrt(scale**2 * level + 1 - level)

    def guess(x, level):
        return x * (scale**2 * sqrt(level) / spread(level) ** 2)

    start = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    answer = start * spread(rates[-1]) / spread(rates[0])
    found = {}
    for solver in ("ddim", "dpm++"):
        x, before = start, None
        for level, below in pairwise(rates):
            now = Estimate(guess(x, level), level)
            x = dpm_solver_step(x, now, before if solver == "dpm++" else None, below)
            before = now
        found[solver] = float((x - answer).abs())
    assert found["dpm++"] < found["ddim"] / 5


def test_unknown_solvers_are_refused(saved, noise):
    backbone = Backbone.from_pretrained(saved("sd1"), device="cpu")
    with pytest.raises(ValueError, match=r"solver must be one of ddim, dpm\+\+, got 'euler'"):
        next(sample(backbone, noise(1, 4, 16, 16), backbone.empty_prompt(1), [10], solver="euler"))
