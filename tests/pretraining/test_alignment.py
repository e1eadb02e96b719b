"""A generator's features are aligned with an encoder that learnt class names."""

import dataclasses
import functools
import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import CLIPTokenizer

from diffusionseg.backbone import Backbone, computes_bfloat16
from diffusionseg.backbone.feature_tap import FeatureTap
from diffusionseg.pretraining import alignment, batches, pretrain, read_judged_photos, read_photos, run
from diffusionseg.pretraining.alignment import Aligner, Alignment, deep_features
from diffusionseg.pretraining.autoencoder import PatchComponents
from diffusionseg.pretraining.batches import aligned_crops
from diffusionseg.pretraining.generator import build_generator, build_scheduler
from diffusionseg.recognition import (
    Encoder,
    EncoderConfig,
    EncoderShape,
    crops,
    describe_photos,
    of_frequent_classes,
    train_encoder,
)
from diffusionseg.status import folder_status
from stripes import write_striped

CPU = torch.device("cpu")

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def aligned(config):
    encoder = EncoderConfig(steps=4, batch_size=16, fewest=5)
    return dataclasses.replace(config, aligned_batch_size=8, encoder=encoder, save_every=2)


def test_deep_features_are_those_that_taps_read():
    backbone = Backbone.from_pretrained("mini", device="cpu")
    for side in (16, 18):
        noisy = torch.randn(2, backbone.latent_channels, side, side, generator=torch.Generator().manual_seed(0))
        prompt = backbone.empty_prompt(2)
        with torch.no_grad(), FeatureTap(backbone, ["mid_block", "up_blocks.0"]) as tap:
            backbone.denoise(noisy, 50, prompt)
            mid, up = deep_features(backbone.unet, noisy, torch.tensor([50, 50]), prompt.embeddings)
        assert torch.allclose(mid, tap.features["mid_block"], atol=1e-4)
        assert torch.allclose(up, tap.features["up_blocks.0"], atol=1e-4)


def small_generator(config):
    torch.manual_seed(0)
    return build_generator(config.generator, 20, 8)


def test_the_loss_is_a_cosine_with_standardised_features(config):
    model, encoder = small_generator(config), Encoder(EncoderShape(widths=(8, 16, 24), depths=(1, 1, 1))).eval()
    head = Alignment(model.unet, encoder)
    pictures = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    head.standardise(encoder, pictures)
    with torch.no_grad():
        larger = torch.nn.functional.interpolate(pictures, scale_factor=2.0, mode="bilinear")
        wanted = dict(zip(("up", "mid"), encoder.encode(larger)[-2:], strict=True))
    standard = {}
    for name, values in wanted.items():
        flat = values.permute(0, 2, 3, 1).flatten(0, 2)
        standard[name] = ((values.permute(0, 2, 3, 1) - flat.mean(0)) / flat.std(0).clamp(min=1e-4)).permute(0, 3, 1, 2)

    def loss(mid, up):
        head.mid, head.up = torch.nn.Identity(), torch.nn.Identity()
        return head(mid, up, encoder, pictures).item()

    assert loss(standard["mid"], 3 * standard["up"]) == pytest.approx(0, abs=1e-5)
    assert loss(-standard["mid"], standard["up"]) == pytest.approx(1, abs=1e-5)
    assert loss(-standard["mid"], -standard["up"]) == pytest.approx(2, abs=1e-5)
    # What is the same in all pictures does not count.
    assert loss(wanted["mid"], wanted["up"]) > 0.2


def test_features_come_nearer_and_the_encoder_stays(config, captioned):
    model, encoder = small_generator(config), Encoder(EncoderShape(widths=(8, 16, 24), depths=(1, 1, 1)))
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    components = PatchComponents(torch.randn(12, 48, generator=torch.Generator().manual_seed(0)) / 7, torch.zeros(48))
    empty = torch.tensor([[18, 19, 19, 19, 19, 19, 19, 19]])
    settings = dataclasses.replace(config, aligned_batch_size=16)
    aligner = Aligner(model, encoder, captioned, components, empty, settings, CPU)

    def loss(step):
        return aligner.loss(step, aligned_crops(captioned, 16, settings, step))

    assert loss(3).item() == loss(3).item() != loss(4).item()
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    first = np.mean([loss(step).item() for step in range(100, 104)])
    for step in range(40):
        optimizer.zero_grad()
        loss(step).backward()
        optimizer.step()
    last = np.mean([loss(step).item() for step in range(100, 104)])
    assert first == pytest.approx(1, abs=0.15)
    assert last < first - 0.2
    # What denoises is not touched, what is aligned is.
    assert model.unet.conv_out.weight.grad is None
    assert model.unet.down_blocks[0].resnets[0].conv1.weight.grad.abs().sum() > 0
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.slow
@pytest.mark.parametrize("stops_after", [("encoder", 3), ("generator", 4)])
def test_an_aligned_run_goes_on_to_the_bit_and_leaves_a_plain_model(folder, captioned, aligned, tmp_path, stops_after):
    photos = read_photos([folder], 32)

    def stop(stage, done, total, values):
        if (stage, done) == stops_after:
            standing = folder_status(str(tmp_path / "killed"))
            expected = {"encoder": ("steps of its encoder", 3, 4), "generator": ("steps", 4, 6)}
            assert (standing.unit, standing.done, standing.total) == expected[stage]
            raise KeyboardInterrupt

    def go(name, **given):
        return pretrain(photos, photos.names, {}, tmp_path / name, aligned, device=CPU, captioned=captioned, **given)

    model = go("whole")
    with pytest.raises(KeyboardInterrupt):
        go("killed", report=stop)
    ready = tmp_path / "killed" / "encoder" / "metrics.jsonl"
    before = ready.stat().st_mtime_ns
    go("killed")
    # Its time tells since when the generator is trained.
    assert (ready.stat().st_mtime_ns == before) == (stops_after[0] == "generator")
    for name in ("checkpoint.safetensors", "encoder/checkpoint.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes(), name
    lines = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert all(0 < line["alignment"] < 2 for line in lines)
    assert not [name for name in load_file(model / "unet/diffusion_pytorch_model.safetensors") if "align" in name]
    assert Backbone.from_pretrained(model, device="cpu").image_size == 32


def test_a_run_is_told_by_its_captioned_photographs_and_weight(folder, captioned, aligned, tmp_path):
    photos = read_photos([folder], 32)
    short = dataclasses.replace(aligned, steps=1, autoencoder_steps=1, encoder=EncoderConfig(steps=1, fewest=5))

    def go(config, some):
        pretrain(photos, photos.names, {}, tmp_path / "run", config, device=CPU, captioned=some)

    go(short, captioned)
    with pytest.raises(ValueError, match=r"another run \(captioned differ\)"):
        go(short, None)
    with pytest.raises(ValueError, match=r"another run \(captioned differ\)"):
        go(short, dataclasses.replace(captioned, images=captioned.images[:, ::-1].copy()))
    with pytest.raises(ValueError, match=r"another run \(alignment differ\)"):
        go(dataclasses.replace(short, alignment=0.5), captioned)
    with pytest.raises(ValueError, match="--captioned: 0 of 2 classes have 150 photographs"):
        go(dataclasses.replace(short, encoder=EncoderConfig(steps=1, fewest=150)), captioned)


def test_a_run_without_captioned_photographs_is_the_same_whatever_would_be_aligned(folder, short, tmp_path):
    photos = read_photos([folder], 32)
    pretrain(photos, photos.names, {}, tmp_path / "run", short, device=CPU)
    record = json.loads((tmp_path / "run" / "pretrain.json").read_text())
    assert not {"alignment", "encoder"} & set(record)
    other = dataclasses.replace(short, alignment=0.5, encoder=EncoderConfig(steps=7))
    pretrain(photos, photos.names, {}, tmp_path / "run", other, device=CPU)


def test_the_weight_of_the_alignment_counts(folder, captioned, one_step, tmp_path):
    photos, weights = read_photos([folder], 32), []
    for weight in (1.0, 0.5):
        config = dataclasses.replace(one_step, alignment=weight)
        pretrain(photos, photos.names, {}, tmp_path / str(weight), config, device=CPU, captioned=captioned)
        weights.append(load_file(tmp_path / str(weight) / "checkpoint.safetensors"))
    for name in ("module.unet.conv_in.weight", "module.alignment.mid.1.weight"):
        assert not torch.equal(weights[0][name], weights[1][name]), name


def test_a_run_aligns_with_the_encoder_that_it_trained(folder, captioned, one_step, tmp_path, monkeypatch):
    trained, aligners, read, cut = [], [], [], []

    def training(*given, **named):
        trained.append(named)
        train_encoder(*given, **named)

    class Watched(Aligner):
        def __init__(self, *given):
            super().__init__(*given)
            aligners.append((given, {k: v.clone() for k, v in given[0].alignment.state_dict().items()}))

    def features(unet, noisy, timesteps, context):
        read.append((noisy, timesteps, context))
        return deep_features(unet, noisy, timesteps, context)

    def cutting(images, side, config, drawn):
        cut.append((len(images), side, config.area))
        return crops(images, side, config, drawn)

    monkeypatch.setattr(alignment, "train_encoder", training)
    monkeypatch.setattr(run, "Aligner", Watched)
    monkeypatch.setattr(alignment, "deep_features", features)
    monkeypatch.setattr(batches, "crops", cutting)
    photos = read_photos([folder], 32)
    model = pretrain(photos, photos.names, {}, tmp_path / "run", one_step, device=CPU, captioned=captioned)
    assert (trained[0]["side"], trained[0]["seed"], trained[0]["save_every"]) == (32, 5, 3)
    assert trained[0]["dtype"] == ("bf16" if computes_bfloat16(CPU) else "fp32")
    (_, encoder, some, _, empty, *_), begun = aligners[0]
    kept = load_file(tmp_path / "run" / "encoder" / "checkpoint.safetensors")
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, kept[f"average.{name}"]), name
    assert not encoder.training
    assert len(some) == 200
    assert empty.tolist() == CLIPTokenizer.from_pretrained(model / "tokenizer")([""], padding="max_length").input_ids
    assert begun["mid_deviation"].std() > 0
    assert begun["up_mean"].abs().sum() > 0
    # The examples, and the step's own.
    assert cut == [(512, 32, (0.4, 1.0)), (8, 32, (0.4, 1.0))]
    (noisy, timesteps, context), *others = read
    assert not others
    assert noisy.shape == (8, 12, 8, 8)
    assert set(timesteps.tolist()) <= {0, 1, 2}
    assert torch.equal(context[0], context[7])


# PyTorch warns of itself while it traces.
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_compiled_features_are_the_same(config, captioned, monkeypatch):
    model, encoder = small_generator(config), Encoder(EncoderShape(widths=(8, 16, 24), depths=(1, 1, 1)))
    components = PatchComponents(torch.randn(12, 48, generator=torch.Generator().manual_seed(0)) / 7, torch.zeros(48))
    aligner = Aligner(model, encoder, captioned, components, torch.tensor([[18] + 7 * [19]]), config, CPU)
    pictures = aligned_crops(captioned, 4, config, 0)
    eager, traced = aligner.loss(0, pictures).item(), []

    def without_kernels(graph, inputs):
        traced.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=without_kernels, fullgraph=True))
    aligner.compile()
    assert aligner.loss(0, pictures).item() == pytest.approx(eager, abs=1e-5)
    assert len(traced) == 1


def test_features_are_read_from_noised_latents(config, captioned, monkeypatch):
    model, encoder = small_generator(config), Encoder(EncoderShape(widths=(8, 16, 24), depths=(1, 1, 1)))
    components = PatchComponents(torch.zeros(12, 48), torch.zeros(48))
    read = []

    def features(unet, noisy, timesteps, context):
        read.append((noisy, timesteps))
        return deep_features(unet, noisy, timesteps, context)

    monkeypatch.setattr(alignment, "deep_features", features)
    settings = dataclasses.replace(config, aligned_batch_size=64, aligned_below=1000)
    aligner = Aligner(model, encoder, captioned, components, torch.tensor([[18] + 7 * [19]]), settings, CPU)
    aligner.loss(0, aligned_crops(captioned, 64, settings, 0))
    (noisy, timesteps), *_ = read
    # Latents of zeros, so that what is left is noise.
    expected = (1 - build_scheduler().alphas_cumprod[timesteps]).sqrt()
    assert torch.allclose(noisy.flatten(1).std(1), expected, rtol=0.15)
    assert timesteps.min() < 100
    assert timesteps.max() > 900


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"alignment": 0.0}, "--alignment must be above 0"),
        ({"alignment": float("inf")}, "--alignment must be above 0"),
        ({"aligned_batch_size": 0}, "aligned_batch_size must be at least 1"),
        ({"aligned_below": 0}, "aligned_below must be 1 to 1000"),
        ({"aligned_below": 1001}, "aligned_below must be 1 to 1000"),
    ],
)
def test_wrong_settings_are_named(config, changed, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(config, **changed)


def test_the_verb_takes_captioned_photographs_of_other_classes(cli, folder, tmp_path):
    write_striped(tmp_path / "others", 40)
    (tmp_path / "others" / "lying" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "others" / "rare").mkdir()
    shutil.copy(tmp_path / "others" / "lying" / "0.png", tmp_path / "others" / "rare")
    made = cli(
        f"pretrain {folder} --captioned others --encoder-steps 2 --alignment 0.5 --image-size 32 --steps 1 "
        "--batch-size 2 --autoencoder-steps 1 --out run --json",
        cwd=tmp_path,
    )
    # One photograph of each set could not be read.
    assert made.returncode == 1, made.stderr
    assert "40 captioned photographs of 2 classes" in made.stderr
    unreadable = json.loads(made.stdout)["unreadable"]
    assert (json.loads(made.stdout)["captioned"], json.loads(made.stdout)["classes"]) == (40, 2)
    assert ["broken.png" in unreadable[0], "torn.png" in unreadable[1], len(unreadable)] == [True, True, 2]
    record = json.loads((tmp_path / "run" / "pretrain.json").read_text())
    everything = read_photos([tmp_path / "others"], 32)
    assert record["captioned"] == describe_photos(of_frequent_classes(everything, 20))
    assert (record["encoder"]["steps"], record["alignment"]) == (2, 0.5)
    assert "alignment" in (tmp_path / "run" / "metrics.jsonl").read_text()
    assert folder_status(str(tmp_path / "run")).finished
    useless = cli(f"pretrain {folder} --alignment 0.5 --out other", cwd=tmp_path)
    assert useless.returncode == 2
    assert "say how to learn from --captioned" in useless.stderr
    two = cli(f"pretrain {folder} --captioned others --encoder-steps 2 --encoder-from run --out other", cwd=tmp_path)
    assert two.returncode == 2
    assert "--encoder-steps trains an encoder, and --encoder-from brings one" in two.stderr
    assert not (tmp_path / "other").exists()
    typo = cli("pretrain nowhere --captioned others --encoder-from nothing --out other", cwd=tmp_path)
    assert typo.returncode == 2
    assert "--encoder-from nothing: no nothing/encoder/checkpoint.safetensors" in typo.stderr
    again = cli(
        f"pretrain {folder} --captioned others --encoder-from run --image-size 32 --steps 1 --batch-size 2 "
        "--autoencoder-steps 1 --out again --json",
        cwd=tmp_path,
    )
    assert again.returncode == 1, again.stderr
    record = json.loads((tmp_path / "again" / "pretrain.json").read_text())
    assert record["encoder_from"]["captioned"] == record["captioned"]
    wrong = cli(f"pretrain {folder} --captioned others --alignment 0 --out other", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "--alignment must be above 0" in wrong.stderr


def test_photographs_that_an_encoder_learns_from_do_not_judge(folder, annotated, tmp_path):
    photos = read_photos([folder], 32)
    assert read_judged_photos(annotated, photos).trained_on == ()
    (tmp_path / "others" / "thing").mkdir(parents=True)
    shutil.copy(annotated / "images" / "a.png", tmp_path / "others" / "thing")
    captioned = read_photos([tmp_path / "others"], 32)
    assert read_judged_photos(annotated, photos, captioned=captioned).trained_on == ("a.png",)
