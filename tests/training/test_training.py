"""Averages, order of data, journal and checkpoints."""

import json

import pytest
import torch
from hypothesis import given
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import nn

from diffusionseg.training import (
    Journal,
    WeightAverage,
    batch_indices,
    load_checkpoint,
    save_checkpoint,
    step_generator,
)
from hostile import changed, damaged, few, full_disk, refused_by_name


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


def convolved(directory, steps):
    """A module that lies channels last, and its optimiser and average, after these steps, half of them resumed."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GELU(), nn.Conv2d(8, 4, 3)).to(memory_format=torch.channels_last)
    # As on a GPU: it reads what it keeps of a weight in the order of that weight.
    optimizer = torch.optim.AdamW(module.parameters(), 1e-2, fused=True)
    average = WeightAverage(module, 0.9)
    resumed = load_checkpoint(directory, module, average, optimizer)
    for step in range(resumed[0] if resumed else 0, steps):
        inputs = torch.randn(2, 3, 8, 8, generator=step_generator(0, step)).to(memory_format=torch.channels_last)
        optimizer.zero_grad()
        module(inputs).square().mean().backward()
        optimizer.step()
        average.update(module)
    save_checkpoint(directory, steps, module, average, optimizer, {})
    return module, optimizer, average


def test_what_is_kept_of_a_weight_lies_in_memory_as_it_does(tmp_path, one_thread):
    whole, _, _ = convolved(tmp_path / "whole", 8)
    convolved(tmp_path / "parts", 4)
    module, optimizer, average = convolved(tmp_path / "parts", 8)
    assert not module[0].weight.is_contiguous()
    for name, parameter in module.named_parameters():
        assert torch.equal(parameter, dict(whole.named_parameters())[name]), name
        assert average.weights[name].stride() == parameter.stride()
        kept = [value for value in optimizer.state[parameter].values() if value.ndim]
        assert [value.stride() for value in kept] == [parameter.stride()] * 2


def test_checkpoint_of_another_model_is_named(tmp_path):
    run(tmp_path, 5)
    module = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"checkpoint\.safetensors: belongs to another model"):
        load_checkpoint(tmp_path, module, WeightAverage(module, 0.9), torch.optim.AdamW(module.parameters()))


def stored(directory):
    """A checkpoint, what it was saved from, and a way to read it into a fresh copy of that."""
    run(directory, 5)

    def load():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 1))
        before = {k: v.clone() for k, v in module.state_dict().items()}
        try:
            return load_checkpoint(
                directory, module, WeightAverage(module, 0.9), torch.optim.AdamW(module.parameters())
            )
        except ValueError:
            assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
            raise

    return directory / "checkpoint.safetensors", load


def test_a_damaged_checkpoint_is_named_with_what_to_do_and_left_where_it_is(tmp_path):
    path, load = stored(tmp_path)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[-3] ^= 1
    for content, reason in ((flipped, "does not match its checksum"), (whole[:-1], ""), (whole[:100], ""), (b"", "")):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"checkpoint\.safetensors: damaged .*{reason}.*put a copy of it back"):
            load()
        assert path.read_bytes() == content
    path.write_bytes(whole)
    assert load() == (5, {"note": "x"})


def test_checkpoints_from_anywhere(tmp_path):
    path, load = stored(tmp_path)
    whole, tensors = path.read_bytes(), load_file(path)
    with safe_open(path, "pt") as file:
        meta = json.loads(file.metadata()["run"])
    without = {k: v for k, v in meta.items() if k != "sha256"}
    for name, value in (
        ("module.0.weight", torch.zeros(3)),
        ("average.0.weight", torch.zeros(3)),
        ("average.0.weight", torch.zeros(8, 4, dtype=torch.int64)),
        ("optimizer.0.exp_avg", torch.zeros(3)),
        ("optimizer.99.exp_avg", torch.zeros(8, 4)),
        ("optimizer.a.b.c", torch.zeros(())),
        ("elsewhere", torch.zeros(())),
    ):
        path.write_bytes(save({**tensors, name: value}, metadata={"run": json.dumps(without)}))
        with pytest.raises(ValueError, match=r"checkpoint\.safetensors: (damaged|belongs to another model)"):
            load()

    @few
    @given(changed([meta, without]))
    def look_at_state(content):
        path.write_bytes(save(tensors, metadata={"run": content.decode(errors="replace")}))
        refused_by_name(load, ValueError, path)

    @few
    @given(damaged([whole]))
    def look(content):
        path.write_bytes(content)
        refused_by_name(load, ValueError, path)

    look_at_state()
    look()


def test_a_journal_passes_over_what_is_no_line_of_numbers(tmp_path):
    @few
    @given(changed([{"step": 1, "loss": 0.5}]))
    def look(content):
        good = b'{"step": 0, "loss": 1.0}\n'
        (tmp_path / "metrics.jsonl").write_bytes(good + content + b"\n\xff\n3\n" + good)
        journal = Journal(tmp_path, resume_step=1)
        assert [r["step"] for r in journal.records() if r == {"step": 0, "loss": 1.0}] == [0, 0]

    look()


def test_a_full_disk_is_told_by_the_file_that_has_no_room(tmp_path):
    journal = Journal(tmp_path)
    for step in range(9):
        journal.write(step, loss=0.123456789)
    with full_disk(100), pytest.raises(OSError, match=r"File too large: '.*metrics\.jsonl'"):
        journal.write(9, loss=0.5)
    with full_disk(100), pytest.raises(OSError, match=r"File too large: '.*curves\.png'"):
        journal.plot({"loss": ["loss"]})
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.jsonl"]
    assert len(Journal(tmp_path, resume_step=9).records()) == 9
