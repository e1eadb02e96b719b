"""Pretraining end to end on a handful of coloured photographs."""

import dataclasses
import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from diffusionseg.backbone import Backbone
from diffusionseg.pretraining import (
    PretrainConfig,
    class_names,
    generator_training,
    pretrain,
    read_class_file,
    read_photos,
)
from diffusionseg.pretraining.generator import draw_timesteps
from diffusionseg.status import folder_status


def test_folder_and_parquet_give_the_same_photographs(folder, tmp_path):
    rows = [(p.read_bytes(), p.parent.name) for p in sorted(folder.rglob("*.png")) if p.name != "broken.png"]
    table = pa.table({"image": [r[0] for r in rows], "class": [r[1] for r in rows]})
    parquet.write_table(table, tmp_path / "photos.parquet")
    one, other = read_photos([folder], 32), read_photos([tmp_path / "photos.parquet"], 32)
    assert np.array_equal(one.images, other.images)
    assert one.names == other.names == ("blue square", "red square")
    assert len(one.unreadable) == 1
    assert "broken.png" in one.unreadable[0]
    assert class_names([tmp_path / "photos.parquet"]) == class_names([folder])


def test_source_of_another_kind_is_named(tmp_path):
    (tmp_path / "photos.csv").write_text("a")
    with pytest.raises(ValueError, match=r"photos\.csv.*parquet"):
        read_photos([tmp_path / "photos.csv"], 32)


def test_files_that_are_no_parquet_and_photographs_without_a_class_are_named(folder, tmp_path):
    (tmp_path / "photos.parquet").write_bytes(b"nothing")
    for read in (lambda s: read_photos(s, 32), class_names):
        with pytest.raises(ValueError, match=r"photos\.parquet: cannot be read as Parquet"):
            read([tmp_path / "photos.parquet"])
    parquet.write_table(pa.table({"picture": [b""]}), tmp_path / "other.parquet")
    with pytest.raises(ValueError, match=r"other\.parquet: has no column class and image"):
        read_photos([tmp_path / "other.parquet"], 32)
    (folder / "loose.png").write_bytes(b"")
    for read in (lambda s: read_photos(s, 32), class_names):
        with pytest.raises(ValueError, match=r"loose\.png: lies outside"):
            read([folder])


def test_class_file_errors_name_the_file(tmp_path):
    path = tmp_path / "classes.toml"
    path.write_text("classes = []")
    with pytest.raises(ValueError, match=r"classes\.toml.*one or more"):
        read_class_file(path)


@pytest.mark.slow
def test_pretrained_folder_loads_and_every_checkpoint_is_drawn(folder, tmp_path, config):
    photos = read_photos([folder], 32)
    model = pretrain(
        photos, photos.names, {"red square": "square"}, tmp_path / "run", config, device=torch.device("cpu")
    )
    for name in ("step-000003.png", "step-000006.png"):
        with Image.open(tmp_path / "run" / "samples" / name) as grid:
            assert grid.size == (4 * 32, 2 * (32 + 14))
    assert (standing := folder_status(tmp_path / "run")).finished, standing

    backbone = Backbone.from_pretrained(model, device="cpu")
    assert backbone.prediction_type == "v_prediction"
    assert (backbone.image_size, backbone.downscale, backbone.latent_channels) == (32, 4, 12)
    assert backbone.encode_prompts(["a photo of a red square"], ["red square"]).spans == ((5, 6),)
    picture = backbone.decode_latents(backbone.encode_images(torch.rand(1, 3, 32, 32)))
    assert picture.shape == (1, 3, 32, 32)


def test_an_interrupted_autoencoder_goes_on(folder, tmp_path, short):
    photos = read_photos([folder], 32)
    config = dataclasses.replace(short, autoencoder_steps=4, save_every=2)
    done = []

    def stop(stage, step, total, values):
        done.append(step)
        if stage == "autoencoder" and step == 3:
            raise KeyboardInterrupt

    def go_on(stage, step, total, values):
        if stage == "autoencoder":
            done.append(step)

    run = {"out": tmp_path / "run", "config": config, "device": torch.device("cpu")}
    with pytest.raises(KeyboardInterrupt):
        pretrain(photos, photos.names, {}, **run, report=stop)
    pretrain(photos, photos.names, {}, **run, report=go_on)
    assert done == [1, 2, 3, 3, 4]


def test_another_configuration_in_the_same_folder_is_refused(folder, tmp_path, short):
    photos = read_photos([folder], 32)
    device = torch.device("cpu")
    with pytest.raises(ValueError, match=r"one set of photographs for each of larger_sizes \(\)"):
        pretrain(photos, photos.names, {}, tmp_path / "run", short, device=device, larger=[photos])
    pretrain(photos, photos.names, {}, tmp_path / "run", short, device=device)
    before = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    inverted = dataclasses.replace(photos, images=255 - photos.images)
    finished = tmp_path / "run" / "model"
    for changed, what, general, start in (
        (dataclasses.replace(short, learning_rate=1.0), "learning_rate", {}, None),
        (short, "photos_sha256 differ; .* --zoom-out", {}, None),
        (short, "general", {"red square": "square"}, None),
        (short, "start_from", {}, finished),
    ):
        some = inverted if "photos_sha256" in what else photos
        with pytest.raises(ValueError, match=what):
            pretrain(some, photos.names, general, tmp_path / "run", changed, device=device, start_from=start)
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.slow
def test_a_run_starts_from_a_finished_model_and_from_nothing_else(folder, tmp_path, short):
    photos = read_photos([folder], 32)
    device = torch.device("cpu")
    first = pretrain(photos, photos.names, {}, tmp_path / "first", short, device=device)
    tiny = dataclasses.replace(short, learning_rate=1e-12)
    second = pretrain(photos, photos.names, {}, tmp_path / "second", tiny, device=device, start_from=first)
    for name in ("unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors"):
        one, other = load_file(first / name), load_file(second / name)
        assert all(torch.equal(one[key], other[key]) for key in one)
    with pytest.raises(ValueError, match="nowhere: is no finished model folder"):
        pretrain(photos, photos.names, {}, tmp_path / "third", short, device=device, start_from=tmp_path / "nowhere")
    wide = dataclasses.replace(short, generator=dataclasses.replace(short.generator, channels=(64, 64)))
    with pytest.raises(ValueError, match="do not fit"):
        pretrain(photos, photos.names, {}, tmp_path / "fourth", wide, device=device, start_from=first)


@pytest.mark.slow
def test_runs_that_start_from_the_same_weights_elsewhere_end_with_the_same_bytes(folder, tmp_path, short, one_thread):
    photos = read_photos([folder], 32)
    device = torch.device("cpu")
    first = pretrain(photos, photos.names, {}, tmp_path / "first", short, device=device)
    longer = dataclasses.replace(short, steps=3, learning_rate=1e-2, warmup=0, average_decay=0.0)
    here = pretrain(photos, photos.names, {}, tmp_path / "here", longer, device=device, start_from=first)
    copy = shutil.copytree(first, tmp_path / "elsewhere" / "weights")
    there = pretrain(photos, photos.names, {}, tmp_path / "there", longer, device=device, start_from=copy)
    for name in ("unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"):
        assert (here / name).read_bytes() == (there / name).read_bytes()
        assert (here / name).read_bytes() != (first / name).read_bytes()
    # A run goes on where its weights to start from have moved, and not where they have become others.
    shutil.move(copy, tmp_path / "moved")
    pretrain(photos, photos.names, {}, tmp_path / "there", longer, device=device, start_from=tmp_path / "moved")
    shutil.copytree(here / "unet", tmp_path / "moved" / "unet", dirs_exist_ok=True)
    with pytest.raises(ValueError, match=r"another run \(start_from differ\)"):
        pretrain(photos, photos.names, {}, tmp_path / "there", longer, device=device, start_from=tmp_path / "moved")


@pytest.mark.slow
def test_a_loss_that_is_no_number_stops_the_run_before_anything_is_overwritten(folder, tmp_path, short):
    photos = read_photos([folder], 32)
    wild = dataclasses.replace(short, steps=30, learning_rate=1e12, warmup=0, save_every=30)
    with pytest.raises(ValueError, match=r"the gradient was no number in 10 steps .* lower --learning-rate"):
        pretrain(photos, photos.names, {}, tmp_path / "run", wild, device=torch.device("cpu"))
    assert not (tmp_path / "run" / "checkpoint.safetensors").exists()


@pytest.mark.slow
def test_one_step_that_is_no_number_is_passed_over(folder, tmp_path, short, monkeypatch):
    photos, real, asked = read_photos([folder], 32), generator_training.velocity_loss, []

    def broken_once(*arguments):
        asked.append(None)
        loss, *rest = real(*arguments)
        return (loss * float("nan") if len(asked) == 1 else loss), *rest

    monkeypatch.setattr(generator_training, "velocity_loss", broken_once)
    config = dataclasses.replace(short, steps=3, save_every=3, learning_rate=1e-2)
    model = pretrain(photos, photos.names, {}, tmp_path / "run", config, device=torch.device("cpu"))
    first, *_, last = (json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    assert len(asked) == 3
    assert "loss" not in first
    assert last["loss"] > 0
    for file in ("unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"):
        assert all(tensor.isfinite().all() for tensor in load_file(model / file).values())


def test_bad_steps_count_over_an_interruption(folder, tmp_path, short, monkeypatch):
    photos, real = read_photos([folder], 32), generator_training.velocity_loss

    def broken(*arguments):
        loss, *rest = real(*arguments)
        return loss * float("nan"), *rest

    def stop(stage, done, *_):
        if stage == "generator" and done == 7:
            raise KeyboardInterrupt

    monkeypatch.setattr(generator_training, "velocity_loss", broken)
    run = {"config": dataclasses.replace(short, steps=12, save_every=1), "device": torch.device("cpu")}
    with pytest.raises(KeyboardInterrupt):
        pretrain(photos, photos.names, {}, tmp_path / "run", report=stop, **run)
    with pytest.raises(ValueError, match="the gradient was no number in 10 steps or more until step 9"):
        pretrain(photos, photos.names, {}, tmp_path / "run", **run)


def test_one_process_alone_trains_a_generator(folder, tmp_path, short, monkeypatch):
    photos = read_photos([folder], 32)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="is trained by one process; start it without accelerate launch"):
        pretrain(photos, photos.names, {}, tmp_path / "run", short, device=torch.device("cpu"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"learning_rate": -1.0}, "--learning-rate must be above 0 and finite, got -1.0"),
        ({"learning_rate": float("nan")}, "--learning-rate must be above 0 and finite, got nan"),
        ({"weight_decay": -1.0}, "weight_decay must be at least 0"),
        ({"average_decay": 1.0}, r"average_decay must be in \[0, 1\), got 1.0"),
        ({"caption_drop": 7.0}, "caption_drop must be 0 to 1, got 7.0"),
        ({"final_fraction": -0.1}, "final_fraction must be 0 to 1, got -0.1"),
        ({"seed": -1}, "warmup and --seed must be at least 0, got 500 and -1"),
    ],
)
def test_wrong_settings_are_named(changed, message):
    with pytest.raises(ValueError, match=message):
        PretrainConfig(**changed)


def test_sizes_of_photographs_and_latents_must_agree():
    with pytest.raises(ValueError, match="sample_size must be image_size / 4 = 32, got 16"):
        PretrainConfig(image_size=128)


def test_learning_rate_rises_and_falls():
    from diffusionseg.pretraining.config import learning_rate

    rates = [learning_rate(s, PretrainConfig(steps=100, warmup=10)) for s in range(100)]
    assert rates[0] == pytest.approx(5e-5)
    assert max(rates) == pytest.approx(5e-4)
    assert rates[-1] == pytest.approx(5e-5, rel=0.02)


def test_timesteps_are_drawn_evenly_or_towards_high_noise():
    even = draw_timesteps(1000, 1000, 1.0, torch.Generator().manual_seed(0))
    assert sorted(even.tolist()) == list(range(1000))
    high = draw_timesteps(1000, 1000, 3.0, torch.Generator().manual_seed(0))
    assert high.median() == pytest.approx(750, abs=2)
    assert high.max() <= 999
    assert (high < 200).float().mean() == pytest.approx(0.2 / 2.6, abs=2e-3)
    with pytest.raises(ValueError, match="--timestep-shift must be 1 to 20, got 0"):
        PretrainConfig(timestep_shift=0)
