"""An encoder learns classes of captioned photographs: what it sees, how it is measured, what it refuses."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from diffusionseg.pretraining import Photos
from diffusionseg.recognition import (
    Encoder,
    EncoderConfig,
    EncoderShape,
    crops,
    learning,
    of_frequent_classes,
    train_encoder,
)
from diffusionseg.training import WeightAverage, save_checkpoint
from stripes import striped_photos

SETTINGS = EncoderConfig(steps=60, batch_size=16, learning_rate=1e-2, average_decay=0.9, fewest=5)
CPU = torch.device("cpu")

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def captioned():
    return striped_photos()


@pytest.fixture(scope="module")
def whole(captioned, tmp_path_factory):
    """An encoder that has learnt, and the folder of its run."""
    torch.set_num_threads(1)
    place = tmp_path_factory.mktemp("whole")
    return learnt(captioned, place), place


def learnt(photos, place, config=SETTINGS, encoder=None, **changed):
    encoder = encoder or new_encoder()
    given = {"side": 16, "seed": 0, "dtype": "fp32", "save_every": 20, "device": CPU}
    train_encoder(encoder, photos, place, config, **{**given, **changed})
    return encoder


def new_encoder():
    torch.manual_seed(0)
    return Encoder(EncoderShape(widths=(8, 16, 16), depths=(1, 1, 1)))


def test_the_weights_do_not_depend_on_how_often_they_are_saved(captioned, whole, tmp_path):
    often = learnt(captioned, tmp_path, save_every=7)
    for name, value in often.state_dict().items():
        assert torch.equal(value, whole[0].state_dict()[name]), name


def test_a_finished_run_gives_its_encoder_again(captioned, whole):
    told = []
    before = (whole[1] / "metrics.jsonl").stat().st_mtime_ns
    again = learnt(captioned, whole[1], report=lambda *values: told.append(values))
    assert not told
    assert (whole[1] / "metrics.jsonl").stat().st_mtime_ns == before
    for name, value in again.state_dict().items():
        assert torch.equal(value, whole[0].state_dict()[name]), name


def test_a_run_that_was_killed_after_its_last_checkpoint_has_its_curves(captioned, tmp_path, monkeypatch):
    def killed(out, done, *rest):
        save_checkpoint(out, done, *rest)
        if done == SETTINGS.steps:
            raise KeyboardInterrupt

    monkeypatch.setattr(learning, "save_checkpoint", killed)
    with pytest.raises(KeyboardInterrupt):
        learnt(captioned, tmp_path, save_every=SETTINGS.steps)
    learnt(captioned, tmp_path, save_every=SETTINGS.steps)
    assert (tmp_path / "curves.png").exists()


def test_steps_draw_other_crops_of_other_photographs_and_never_of_those_that_measure(captioned, tmp_path, monkeypatch):
    seen, seeds = set(), []

    def watched(images, side, config, drawn):
        seen.update(image.tobytes() for image in images)
        seeds.append(drawn.initial_seed())
        return crops(images, side, config, drawn)

    monkeypatch.setattr(learning, "crops", watched)
    unlike = replace(captioned, images=captioned.images ^ np.arange(200, dtype=np.uint8)[:, None, None, None])
    learnt(unlike, tmp_path)
    measured = {unlike.images[row].tobytes() for row in learning._split(200, 0)[1]}
    assert len(measured) == 5
    assert seen == {image.tobytes() for image in unlike.images} - measured
    assert len(set(seeds)) == SETTINGS.steps


@pytest.mark.parametrize(
    "changed",
    [
        {"config": replace(SETTINGS, smoothing=0.5)},
        {"config": replace(SETTINGS, cutmix=0.0)},
        {"dtype": "bf16"},
        {"seed": 1},
    ],
)
def test_settings_count_from_the_first_step_on(captioned, whole, tmp_path, changed):
    learnt(captioned, tmp_path, **changed)
    first, other = (json.loads((f / "metrics.jsonl").read_text().split("\n")[0]) for f in (whole[1], tmp_path))
    assert first["loss"] != other["loss"]


def test_both_labels_of_a_mixed_picture_count_by_their_share_of_it():
    logits = torch.tensor([[2.0, 0.0, 1.0], [0.0, 3.0, 1.0]])
    labels, others, own = torch.tensor([0, 1]), torch.tensor([1, 2]), torch.tensor([0.75, 1.0])
    logs = -logits.log_softmax(1)
    expected = (0.75 * logs[0, 0] + 0.25 * logs[0, 1] + logs[1, 1]) / 2
    assert torch.allclose(learning._loss(logits, labels, others, own, 0.0), expected)
    evenly = (0.75 * logs[0, 0] + 0.25 * logs[0, 1] + logs[1, 1]) / 2 * 0.9 + logs.mean() * 0.1
    assert torch.allclose(learning._loss(logits, labels, others, own, 0.1), evenly)


def test_the_labels_of_a_step_follow_its_rectangles(captioned, tmp_path, monkeypatch):
    """With every picture wholly another's, only the others' labels are learnt."""
    seen = []

    def whole(pictures, share, drawn):
        others = torch.arange(len(pictures)).roll(1)
        return pictures[others], others, torch.zeros(len(pictures))

    monkeypatch.setattr(learning, "cut_in", whole)
    learnt(captioned, tmp_path, report=lambda *values: seen.append(values[2]))
    assert seen[-1]["accuracy"] == 1.0


def test_only_weights_decay_and_by_what_is_asked():
    encoder = new_encoder()
    decaying, still = learning._groups(encoder, 0.25)
    assert (decaying["weight_decay"], still["weight_decay"]) == (0.25, 0.0)
    assert all(p.ndim > 1 for p in decaying["params"])
    assert len(decaying["params"]) + len(still["params"]) == len(list(encoder.parameters()))


def test_accuracy_is_that_of_the_averaged_weights_in_evaluation(captioned):
    class Sign(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.sign = torch.nn.Parameter(torch.tensor(1.0))

        def forward(self, pictures):
            assert not self.training
            # Upright stripes change along rows.
            score = self.sign * (pictures.std(3).mean((1, 2)) - pictures.std(2).mean((1, 2)))
            return torch.stack([-score, score], 1)

    module = Sign()
    average = WeightAverage(module, 0.9)
    with torch.no_grad():
        module.sign.copy_(-1.0)
    rows = np.arange(41)
    assert learning._accuracy(module, average, captioned, rows, 16, 8, CPU) == 1.0
    assert module.sign.item() == -1.0
    average.weights["sign"].fill_(-1.0)
    assert learning._accuracy(module, average, captioned, rows, 16, 8, CPU) == 0.0


def test_what_is_no_number_is_refused_before_it_reaches_the_weights(captioned, tmp_path, monkeypatch):
    encoder = new_encoder()
    with torch.no_grad():
        encoder.stem[0].weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="the loss is nan at step 0 of the encoder; begin anew in another --out"):
        learnt(captioned, tmp_path / "loss", encoder=encoder)
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_: torch.tensor(float("inf")))
    with pytest.raises(ValueError, match="the gradient is inf at step 0 of the encoder; begin anew"):
        learnt(captioned, tmp_path / "gradient")
    assert not (tmp_path / "gradient" / "checkpoint.safetensors").exists()


def test_rare_classes_are_left_out():
    images = np.arange(7, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    photos = Photos(images, np.array([2, 0, 2, 1, 0, 2, 0]), ("a", "b", "c"), ("x.jpg: broken",))
    kept = of_frequent_classes(photos, 2)
    assert kept.names == ("a", "c")
    assert kept.labels.tolist() == [1, 0, 1, 0, 1, 0]
    assert kept.images[:, 0, 0, 0].tolist() == [0, 1, 2, 4, 5, 6]
    assert kept.unreadable == photos.unreadable
    with pytest.raises(ValueError, match="--captioned: 0 of 3 classes have 4 photographs or more; two are needed"):
        of_frequent_classes(photos, 4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"steps": 0}, "encoder steps must be at least 1, got 0"),
        ({"batch_size": 1}, "encoder batch_size must be at least 2"),
        ({"learning_rate": float("nan")}, "encoder learning_rate must be positive"),
        ({"smoothing": 1.0}, "smoothing must be in"),
        ({"cutmix": 1.5}, "encoder cutmix must be in 0…1, got 1.5"),
        ({"area": (0.5, 0.2)}, "encoder area must be 0 < low <= high <= 1"),
    ],
)
def test_wrong_settings_are_named(changed, message):
    with pytest.raises(ValueError, match=message):
        EncoderConfig(**changed)
