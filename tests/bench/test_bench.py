"""What `bench` measures, and that it counts operations as one does by hand."""

import json

import numpy as np
import pytest
import torch

from bright import Bright
from diffusionseg.backbone.random_models import tiny_backbone
from diffusionseg.bench import BenchConfig, Timing, operations, run_bench, take_turns
from diffusionseg.bench.generator_steps import unet_rows
from diffusionseg.data import read_image
from diffusionseg.demo import photographs
from diffusionseg.synthesis import SynthesisConfig


def test_ratios_are_of_neighbours_in_time():
    # A machine that gets ten times slower in the middle.
    fast, slow = Timing((1.0, 10.0, 10.0)), Timing((2.0, 20.0, 30.0))
    assert slow.times(fast) == 2
    assert slow.median == 20
    assert Timing((0.0012, 0.001, 0.004)).spread() == "1.2 (1 to 4)"


def test_pieces_take_turns_after_a_round_to_warm_up():
    order = []
    times = take_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2, lambda: order.append("."))
    assert "".join(order) == "a.b." * 3
    assert {name: len(timing.seconds) for name, timing in times.items()} == {"a": 2, "b": 2}
    with pytest.raises(ValueError, match="rounds must be at least 1, got 0"):
        take_turns({}, 0)


def test_operations_by_hand():
    assert operations(lambda: torch.zeros(3, 4) @ torch.zeros(4, 5)) == 2 * 3 * 4 * 5
    assert operations(lambda: torch.nn.Conv2d(2, 6, 3, padding=1)(torch.zeros(1, 2, 8, 8))) == 2 * 8 * 8 * 6 * 2 * 9


def test_rows_of_an_image():
    assert unet_rows(SynthesisConfig(steps=10, guidance=3, reread_noises=0)) == 20
    assert unet_rows(SynthesisConfig(steps=10, guidance=1, reread_noises=2, reread_timesteps=(1, 2, 3))) == 16


def test_a_generator_and_a_segmenter():
    told = []
    photos = [np.asarray(read_image(path)) for path in photographs()[:2]]
    report = run_bench("tiny", tiny_backbone(), Bright(), photos, BenchConfig(rounds=1, pairs=0), told.append)
    steps = {step.name: step for step in report.steps}
    assert list(steps) == [
        *("U-Net call", "U-Net call, attention read", "decoding", "AttentionCut", "pair"),
        *("coarse saliency", "refinement (none)"),
    ]
    assert all(len(step.timing.seconds) == 1 and step.timing.seconds[0] > 0 for step in report.steps)
    rows = unet_rows(SynthesisConfig())
    assert steps["pair"].floor == pytest.approx(rows * steps["U-Net call"].floor + steps["decoding"].floor)
    # A whole pair is all those calls and more.
    assert steps["pair"].timing.median > 0.5 * rows * steps["U-Net call"].timing.median
    assert steps["AttentionCut"].floor is None
    assert report.matrix_rate > 1e8
    assert report.images_a_minute is None
    assert report.photographs_a_second > 0
    assert told[0] == "matrix products"
    with pytest.raises(ValueError, match="neither a generator nor weights"):
        run_bench("nothing", None, None, photos)
    with pytest.raises(ValueError, match="no photograph"):
        run_bench("bright", None, Bright(), [])


def test_the_verb(cli, tmp_path):
    done = cli("bench --weights student --rounds 2 --json", tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["subject"] == "student"
    assert [step["name"] for step in found["steps"]] == ["coarse saliency", "refinement (cut)"]
    assert all(0 < s["least"] <= s["seconds"] <= s["most"] and s["floor"] is None for s in found["steps"])
    assert found["images_a_minute"] is None
    assert found["photographs_a_second"] > 0
    wrong = cli("bench --weights nonsense", tmp_path)
    assert wrong.returncode == 2
    assert "nonsense" in wrong.stderr
    assert "Traceback" not in wrong.stderr
