"""Which photographs a step of pretraining sees, and with which captions."""

import dataclasses
import json
from collections import Counter

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from diffusionseg.cli.app import application
from diffusionseg.data import read_image
from diffusionseg.pretraining import Photos, PretrainConfig, read_photos, read_photos_of_sizes
from diffusionseg.pretraining.batches import Batches, aligned_crops, cumulative_shares, size_in_turn
from diffusionseg.pretraining.captions import train_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return train_tokenizer(["cat", "dog"], tmp_path_factory.mktemp("tokenizer"))


def photos(size, cats, dogs):
    """Photographs of one shade each, which names them; the cats come first."""
    shades = np.arange(cats + dogs, dtype=np.uint8)
    images = np.broadcast_to(shades[:, None, None, None], (cats + dogs, size, size, 3)).copy()
    return Photos(images, np.array([0] * cats + [1] * dogs), ("cat", "dog"))


def shades(batch):
    return batch.pixels[:, 0, 0, 0].tolist()


def test_each_size_gets_its_turn_and_no_photograph_is_left_out():
    every = [size_in_turn(step, 2, 3) for step in range(12)]
    assert every == [(0, 0), (0, 1), (1, 0), (0, 2), (0, 3), (2, 0), (0, 4), (0, 5), (1, 1), (0, 6), (0, 7), (2, 1)]
    assert [size_in_turn(step, 0, 3) for step in range(4)] == [(0, step) for step in range(4)]


def test_epochs_of_each_size_have_no_gaps(tokenizer):
    config = PretrainConfig(batch_size=8, larger_sizes=(128,), larger_every=2)
    batches = Batches(photos(64, 6, 10), [photos(128, 1, 3)], {}, tokenizer, config)
    of_size = {64: [], 128: []}
    for step in range(8):
        batch = batches.of_step(step)
        of_size[batch.pixels.shape[1]].append(shades(batch))
    assert [len(s) for s in of_size[64]] == [8] * 4
    assert [len(s) for s in of_size[128]] == [2] * 4
    for size, count in ((64, 16), (128, 4)):
        for epoch in (of_size[size][:2], of_size[size][2:]):
            assert sorted(np.ravel(epoch)) == list(range(count))


@pytest.mark.parametrize(("balance", "cats"), [(0.0, 0.1), (0.5, 0.25), (1.0, 0.5)])
def test_balance_draws_rare_classes_more_often(tokenizer, balance, cats):
    config = PretrainConfig(batch_size=100, balance=balance)
    batches = Batches(photos(64, 10, 90), [], {}, tokenizer, config)
    drawn = Counter(shade for step in range(40) for shade in shades(batches.of_step(step)))
    assert sum(drawn[shade] for shade in range(10)) / drawn.total() == pytest.approx(cats, abs=0.02)
    assert set(drawn) == set(range(100))


def test_shares_end_at_exactly_one():
    shares = cumulative_shares(np.arange(3).repeat([7, 11, 31]), 0.3)
    assert shares[-1] == 1.0
    assert (np.diff(shares) > 0).all()


def test_captions_are_each_read_once_and_tell_the_class(tokenizer):
    config = PretrainConfig(batch_size=64, caption_drop=0.0)
    batch = Batches(photos(64, 10, 10), [], {}, tokenizer, config).of_step(3)
    assert len(batch.tokens) <= 10
    assert len(torch.unique(batch.tokens, dim=0)) == len(batch.tokens)
    said = [tokenizer.decode(batch.tokens[c], skip_special_tokens=True) for c in batch.captions]
    for text, shade in zip(said, shades(batch), strict=True):
        assert text.split()[-1] == ("cat" if shade < 10 else "dog")


def test_batches_made_ahead_are_those_made_when_asked_for(tokenizer, monkeypatch):
    # Memory is pinned for a GPU; without one it stays as it is.
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor)
    config = PretrainConfig(batch_size=4, larger_sizes=(128,))
    config = dataclasses.replace(config, aligned_batch_size=3)
    captioned = photos(128, 8, 9)
    batches = Batches(photos(64, 6, 10), [photos(128, 2, 2)], {"cat": "animal"}, tokenizer, config, captioned)
    ahead, asked = list(batches.ahead(range(5, 25), 3)), list(batches.ahead(range(5, 25), 0))
    assert len(ahead) == len(asked) == 20
    assert len(pinned) == 20 * 4
    for one, other in zip(ahead, asked, strict=True):
        assert one.crops.shape == (3, 3, 64, 64)
        assert all(torch.equal(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))


def test_each_step_has_crops_of_its_own(tokenizer):
    config = PretrainConfig(batch_size=2, aligned_batch_size=3)
    rng = np.random.default_rng(0)
    some = Photos(rng.integers(0, 256, (9, 64, 64, 3), dtype=np.uint8), np.arange(9) % 2, ("cat", "dog"))
    batches = Batches(photos(64, 2, 2), [], {}, tokenizer, config, some)
    first, second, again = (batches.of_step(step).crops for step in (3, 4, 3))
    assert torch.equal(first, again)
    assert torch.equal(second, aligned_crops(some, 3, config, 4))
    assert not any(torch.equal(one, other) for one in first for other in second)
    assert len(Batches(photos(64, 2, 2), [], {}, tokenizer, config).of_step(3).crops) == 0


def test_small_photographs_are_enlarged_for_the_first_size_alone(folder, monkeypatch):
    opened = []
    monkeypatch.setattr(
        "diffusionseg.pretraining.photos.read_image", lambda *args, **kw: opened.append(args) or read_image(*args, **kw)
    )
    assert len(read_photos([folder], 48)) == 8
    with pytest.raises(ValueError, match="--larger-size 48: no readable photograph has 48 pixels"):
        read_photos_of_sizes([folder], 32, [48])
    opened.clear()
    small, large = read_photos_of_sizes([folder], 32, [40])
    assert len(opened) == 9  # One of them cannot be read.
    assert small.images.shape == (8, 32, 32, 3)
    assert large.images.shape == (8, 40, 40, 3)
    assert np.array_equal(small.images, read_photos([folder], 32).images)
    assert np.array_equal(small.labels, large.labels)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"larger_sizes": (64,)}, "--larger-size must be a multiple of 16 above --image-size 64, got 64"),
        ({"larger_sizes": (100,)}, "--larger-size must be a multiple of 16 above --image-size 64, got 100"),
        ({"larger_every": 1}, "--larger-every must be at least 2, got 1"),
        ({"balance": 1.5}, "--balance must be 0 to 1, got 1.5"),
    ],
)
def test_wrong_settings_name_their_flag(changed, message):
    with pytest.raises(ValueError, match=message):
        PretrainConfig(**changed)


@pytest.mark.slow
def test_the_command_trains_on_two_sizes_and_tells_so(folder, tmp_path):
    sizes = ["--image-size", "16", "--larger-size", "32", "--larger-every", "2", "--balance", "0.5"]
    steps = ["--steps", "2", "--autoencoder-steps", "1", "--batch-size", "4", "--device", "cpu"]
    (folder / "red square" / "broken.png").unlink()
    done = CliRunner().invoke(application(), ["pretrain", str(folder), *sizes, *steps, "--out", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    assert "8 of them also as 32x32 pixels" in done.output
    assert json.loads((tmp_path / "run" / "pretrain.json").read_text())["photos"] == [8, 8]
