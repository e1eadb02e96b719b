"""Numbers of a generator in training: by hand, repeatable, and without a trace in what is trained."""

import functools
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from diffusionseg.cli.app import application
from diffusionseg.pretraining import (
    GeneratorConfig,
    JudgeConfig,
    JudgedPhotos,
    pretrain,
    read_judged_photos,
    read_photos,
    samples,
)
from diffusionseg.pretraining.autoencoder import build_autoencoder, fit_patch_components
from diffusionseg.pretraining.captions import train_tokenizer
from diffusionseg.pretraining.generator import as_backbone, build_generator, build_scheduler
from diffusionseg.pretraining.judge import (
    centre_box,
    check_judged,
    corloc,
    judge,
    judge_panels,
    validation_loss,
)
from diffusionseg.pretraining.photo_attention import photo_attention
from diffusionseg.training import Journal

CPU = torch.device("cpu")


@pytest.fixture
def parts(tmp_path, config):
    """An untrained generator with the tokenizer and autoencoder around it: (model, vae, tokenizer, components)."""
    tokenizer = train_tokenizer(["red square", "blue square"], tmp_path / "tokenizer")
    torch.manual_seed(0)
    model = build_generator(config.generator, len(tokenizer), tokenizer.model_max_length)
    noise = np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3), dtype=np.uint8)
    return model, build_autoencoder(12, 32), tokenizer, fit_patch_components(noise, 12)


def judged_photos(boxes, config=None, size=100):
    """Black photographs of this size with these objects."""
    images = np.zeros((len(boxes), size, size, 3), np.uint8)
    return JudgedPhotos(images, images, ("x",) * len(boxes), tuple(boxes), config=config or JudgeConfig())


def test_corloc_by_hand():
    small, middling, large = (0, 0, 20, 20), (25, 25, 75, 75), (0, 0, 100, 90)
    judged = judged_photos([(small,), (middling,), (large,), (small, middling)])
    values = corloc([(0, 0, 20, 20), None, (0, 0, 100, 50), (26, 26, 75, 75)], judged)
    # The whole frame hits only the large object. The centre box covers 0.49 of a photograph, and 0.51 of it is the
    # middling one. An object of 4 % is too small to count among those of 5 to 60 %.
    assert values == {
        "corloc": 3 / 4,
        "corloc_5_60": 1 / 2,
        "corloc_whole_frame": 1 / 4,
        "corloc_whole_frame_5_60": 0.0,
        "corloc_centre_box": 3 / 4,
        "corloc_centre_box_5_60": 1.0,
    }
    assert set(corloc([None], judged_photos([(large,)]))) == {"corloc", "corloc_whole_frame", "corloc_centre_box"}


def test_centre_box_by_hand():
    assert centre_box(100, 50, 1.0) == (0, 0, 100, 50)
    assert centre_box(100, 50, 0.5) == (25, 12.5, 75, 37.5)


class Silent(nn.Module):
    """Predicts zero and remembers what it was asked."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.asked = []

    def forward(self, noisy, timesteps, tokens, captions):
        self.asked += zip(timesteps.tolist(), tokens[captions, 0].tolist(), strict=True)
        return torch.zeros_like(noisy)


def test_every_photograph_is_noised_once_in_every_part_of_the_schedule():
    config = JudgeConfig(buckets=4, batch_size=9)
    latents, tokens = torch.zeros(5, 12, 8, 8), torch.arange(5)[:, None]
    model = Silent()
    values = validation_loss(model, latents, tokens, config)
    parts = [sorted(t for t, _ in model.asked if low <= t < low + 250) for low in (0, 250, 500, 750)]
    assert [len(p) for p in parts] == [5, 5, 5, 5]
    assert sorted(p for _, p in model.asked) == sorted(list(range(5)) * 4)
    # Of latents that are zero, v is √ᾱ ε, and its mean square about ᾱ.
    alphas = build_scheduler().alphas_cumprod
    names = ["val_loss_0_250", "val_loss_250_500", "val_loss_500_750", "val_loss_750_1000"]
    for name, timesteps in zip(names, parts, strict=True):
        assert values[name] == pytest.approx(alphas[timesteps].mean().item(), rel=0.1)
    assert values["val_loss"] == pytest.approx(np.mean([values[name] for name in names]))
    assert values == validation_loss(model, latents, tokens, config)


def test_attention_of_a_photograph_is_a_mean_of_one_row(parts, judge_config):
    model, vae, tokenizer, _ = parts
    backbone = as_backbone(model, vae, tokenizer)
    image = np.random.default_rng(0).integers(0, 255, (40, 48, 3), dtype=np.uint8)
    read = functools.partial(photo_attention, backbone, image, "red square", min_tokens=16)
    maps = read((300, 600), 3)
    assert set(maps.grids.values()) == {(8, 8), (4, 4)}
    for values in maps.self_.values():
        assert torch.allclose(values.sum(-1), torch.ones(values.shape[:2]))
    each = [read((t,), 3) for t in (300, 600)]
    for layer, values in maps.cross.items():
        assert values.shape == (1, *maps.grids[layer])
        assert torch.allclose(values, (each[0].cross[layer] + each[1].cross[layer]) / 2, rtol=1e-4)
        assert not torch.equal(values, read((300, 600), 2).cross[layer])


def test_judging_leaves_no_trace_and_repeats_itself(parts, folder, annotated, judge_config):
    model, vae, tokenizer, components = parts
    photos = read_photos([folder], 32)
    judged = read_judged_photos(annotated, photos, judge_config)
    model.train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    average = {k: v * 0.5 if v.is_floating_point() else v for k, v in before.items()}
    kept = {k: v.clone() for k, v in average.items()}
    state, told = torch.get_rng_state(), []

    def told_of(done, total):
        told.append((done, total))

    values = judge(judged, model, average, vae, tokenizer, components, told_of)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert all(p.requires_grad for p in model.parameters())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(torch.equal(v, kept[k]) for k, v in average.items())
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert {"corloc", "corloc_5_60", "val_loss", "val_loss_0_500", "val_loss_500_1000"} <= set(values)
    assert all(isinstance(v, float) for v in values.values())
    assert judge(judged, model, average, vae, tokenizer, components) == values
    assert judge(judged, model, before, vae, tokenizer, components)["val_loss"] != values["val_loss"]
    broken = {k: v * float("nan") if v.is_floating_point() else v for k, v in before.items()}
    with pytest.raises(ValueError, match="--learning-rate"):
        judge(judged, model, broken, vae, tokenizer, components)


def test_sizes_and_names_that_cannot_be_judged_are_named(parts, config):
    tokenizer = parts[2]
    judged = judged_photos([((0, 0, 1, 1),)])
    with pytest.raises(ValueError, match=r"--judge .* 196 to 1024 positions; --image-size 32 gives 64, 16"):
        check_judged(judged, tokenizer, config.generator)
    check_judged(judged, tokenizer, GeneratorConfig())
    with pytest.raises(ValueError, match=r"--judge: .* cuts off the class name"):
        check_judged(replace(judged, names=("q" * 100,)), tokenizer, GeneratorConfig())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"limit": 0}, "limit"),
        ({"noises": 0}, "noises"),
        ({"timesteps": ()}, "timesteps"),
        ({"timesteps": (1000,)}, "timesteps"),
        ({"min_tokens": 0}, "min_tokens"),
        ({"share": (0.6, 0.05)}, "share"),
        ({"centre": 0.0}, "centre"),
        ({"buckets": 0}, "buckets"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_constants_out_of_range_are_named(change, said):
    with pytest.raises(ValueError, match=f"^{said} must be"):
        JudgeConfig(**change)


def test_panels_hold_what_was_measured():
    assert judge_panels(["loss", "lr"]) == {}
    assert list(judge_panels(["loss", "corloc", "val_loss", "corloc_5_60"]).values()) == [
        ["corloc", "corloc_5_60"],
        ["val_loss"],
    ]


def numbers(out):
    """Lines of metrics.jsonl that judge a checkpoint."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if "corloc" in line]


def test_a_resumed_journal_keeps_the_numbers_of_its_checkpoint(tmp_path):
    journal = Journal(tmp_path)
    for step in range(4):
        if step:
            journal.write(step, corloc=step / 10)
        journal.write(step, loss=1.0)
    records = Journal(tmp_path, 2, of_checkpoint=("corloc",)).records()
    assert [(r["step"], "corloc" in r) for r in records] == [(0, False), (1, True), (1, False), (2, True)]


@pytest.mark.slow
def test_a_run_is_the_same_with_and_without_a_judge(
    folder, annotated, tmp_path, config, judge_config, one_thread, monkeypatch
):
    monkeypatch.setattr(samples, "STEPS", 1)
    photos = read_photos([folder], 32)
    judged = read_judged_photos(annotated, photos, judge_config)
    with_judge, without = tmp_path / "with", tmp_path / "without"
    told = []

    def report(stage, done, total, values):
        if stage == "judge":
            told.append((done, total, values))

    run = functools.partial(pretrain, photos, photos.names, {}, config=config, device=CPU)
    run(out=with_judge, judged=judged, report=report)
    run(out=without)
    for name in ("checkpoint.safetensors", "pretrain.json", "model/unet/diffusion_pytorch_model.safetensors"):
        assert (with_judge / name).read_bytes() == (without / name).read_bytes()
    assert [line["step"] for line in numbers(with_judge)] == [3, 6]
    assert told == [(line.pop("step"), 6, line) for line in numbers(with_judge)]
    assert not numbers(without)

    # The judge comes and goes: it adds what is missing, and what is there stays and is not written twice.
    written = (with_judge / "metrics.jsonl").read_text()
    run(out=with_judge, judged=judged, report=report)
    run(out=with_judge)
    assert (with_judge / "metrics.jsonl").read_text() == written
    assert len(told) == 2
    run(out=without, judged=judged)
    assert numbers(without) == numbers(with_judge)[1:]


def invoke(*arguments):
    return CliRunner().invoke(application(), ["pretrain", *map(str, arguments)])


def test_command_names_a_folder_that_cannot_judge(folder, annotated, tmp_path):
    done = invoke(folder, "--out", tmp_path / "run", "--judge", tmp_path)
    assert done.exit_code == 2
    assert f"--judge {tmp_path}: holds no boxes.jsonl" in done.stderr
    (annotated / "boxes.jsonl").write_text(
        json.dumps({"image": "b.png", "width": 32, "height": 32, "objects": [{"name": "horse", "box": [0, 0, 1, 1]}]})
    )
    done = invoke(folder, "--out", tmp_path / "run", "--judge", annotated)
    assert done.exit_code == 2
    assert "none of its classes (horse) is trained on (blue square, red square)" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_command_tells_the_numbers(folder, annotated, tmp_path, monkeypatch, config):
    import diffusionseg.pretraining as room

    tiny = functools.partial(GeneratorConfig, channels=(32, 64), text_width=64, text_layers=1)
    monkeypatch.setattr(room, "GeneratorConfig", tiny)
    monkeypatch.setattr(samples, "STEPS", 1)
    (folder / "red square" / "broken.png").unlink()
    trial = ("--steps", 1, "--autoencoder-steps", 1, "--batch-size", 2, "--device", "cpu", "--json")
    done = invoke(folder, "--out", tmp_path / "run", "--judge", annotated, *trial)
    assert done.exit_code == 0, done.stderr
    assert "judged by 3 photographs of 2 classes" in done.stderr
    (line,) = numbers(tmp_path / "run")
    assert line.pop("step") == 1
    assert f"step 1: corloc {line['corloc']:.3f}" in done.stderr
    assert json.loads(done.stdout)["judge"] == line
