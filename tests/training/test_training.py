"""Averages, order of data, journal and checkpoints."""

import json

import pytest
import torch
from torch import nn

from diffusionseg.training import (
    Journal,
    WeightAverage,
    batch_indices,
    load_checkpoint,
    save_checkpoint,
    step_generator,
)


def test_average_by_hand():
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, 0.0)
    average = WeightAverage(module, decay=0.5)
    nn.init.constant_(module.weight, 1.0)
    average.update(module)
    # The first decay is 1/10, the second 2/11.
    assert average.weights["weight"].item() == pytest.approx(0.9)
    average.update(module)
    assert average.weights["weight"].item() == pytest.approx(1 - 0.1 * 2 / 11)


def test_every_epoch_holds_every_item_once():
    steps = [batch_indices(10, 4, seed=3, step=s) for s in range(5)]
    flat = [int(i) for s in steps for i in s]
    assert sorted(flat[:10]) == sorted(flat[10:]) == list(range(10))
    assert flat[:10] != flat[10:]
    assert list(batch_indices(10, 4, seed=3, step=2)) == flat[8:12]


def test_randomness_of_a_step_depends_on_seed_and_step_alone():
    draw = [torch.rand(3, generator=step_generator(s, t)).tolist() for s, t in ((0, 1), (0, 1), (0, 2), (1, 1))]
    assert draw[0] == draw[1]
    assert len({tuple(d) for d in draw}) == 3


def test_journal_drops_what_will_be_written_again_and_survives_a_cut_line(tmp_path):
    journal = Journal(tmp_path)
    for step in range(5):
        journal.write(step, loss=float(step))
    with journal.path.open("a") as file:
        file.write('{"step": 5, "lo')
    resumed = Journal(tmp_path, resume_step=3)
    resumed.write(3, loss=30.0)
    assert [r["loss"] for r in map(json.loads, resumed.path.read_text().splitlines())] == [0, 1, 2, 30]
    resumed.plot({"loss": ["loss"]})
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def run(directory, steps, stop=None):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 1))
    optimizer = torch.optim.AdamW(module.parameters(), 1e-2)
    average = WeightAverage(module, 0.9)
    resumed = load_checkpoint(directory, module, average, optimizer)
    for step in range(resumed[0] if resumed else 0, steps):
        inputs = torch.randn(16, 4, generator=step_generator(0, step))
        optimizer.zero_grad()
        module(inputs).square().mean().backward()
        optimizer.step()
        average.update(module)
        if (step + 1) % 5 == 0:
            save_checkpoint(directory, step + 1, module, average, optimizer, {"note": "x"})
        if step == stop:
            return None
    return average.weights


def test_checkpoint_continues_to_the_bit(tmp_path, one_thread):
    whole = run(tmp_path / "whole", 20)
    run(tmp_path / "parts", 20, stop=12)
    parts = run(tmp_path / "parts", 20)
    assert all(torch.equal(whole[k], parts[k]) for k in whole)


def test_checkpoint_of_another_model_is_named(tmp_path):
    run(tmp_path, 5)
    module = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"checkpoint\.safetensors: belongs to another model"):
        load_checkpoint(tmp_path, module, WeightAverage(module, 0.9), torch.optim.AdamW(module.parameters()))
