"""A generator's features are aligned with an encoder that learnt class names."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from diffusionseg.backbone import Backbone
from diffusionseg.backbone.feature_tap import FeatureTap
from diffusionseg.pretraining import pretrain, read_photos
from diffusionseg.pretraining.alignment import Aligner, Alignment, deep_features
from diffusionseg.pretraining.autoencoder import PatchComponents
from diffusionseg.pretraining.generator import build_generator
from diffusionseg.recognition import Encoder, EncoderConfig, EncoderShape, describe_photos
from diffusionseg.status import folder_status
from stripes import striped, striped_photos

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def captioned():
    """Stripes of 32 pixels."""
    some = striped_photos()
    return dataclasses.replace(some, images=some.images.repeat(2, 1).repeat(2, 2))


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
    alignment = Alignment(model.unet, encoder)
    pictures = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    alignment.standardise(encoder, pictures)
    with torch.no_grad():
        larger = torch.nn.functional.interpolate(pictures, scale_factor=2.0, mode="bilinear")
        wanted = dict(zip(("up", "mid"), encoder.encode(larger)[-2:], strict=True))
    standard = {}
    for name, values in wanted.items():
        flat = values.permute(0, 2, 3, 1).flatten(0, 2)
        standard[name] = ((values.permute(0, 2, 3, 1) - flat.mean(0)) / flat.std(0).clamp(min=1e-4)).permute(0, 3, 1, 2)

    def loss(mid, up):
        alignment.mid, alignment.up = torch.nn.Identity(), torch.nn.Identity()
        return alignment(mid, up, encoder, pictures).item()

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
    assert aligner.loss(3).item() == aligner.loss(3).item() != aligner.loss(4).item()
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    first = np.mean([aligner.loss(step).item() for step in range(100, 104)])
    for step in range(40):
        optimizer.zero_grad()
        aligner.loss(step).backward()
        optimizer.step()
    last = np.mean([aligner.loss(step).item() for step in range(100, 104)])
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
    numbers = itertools.count()

    def stop(stage, done, total, values):
        next(numbers)
        if (stage, done) == stops_after:
            standing = folder_status(str(tmp_path / "killed"))
            assert standing.total == {"encoder": 4, "generator": 6}[stage]
            raise KeyboardInterrupt

    def run(name, **given):
        return pretrain(photos, photos.names, {}, tmp_path / name, aligned, device=CPU, captioned=captioned, **given)

    model = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("killed", report=stop)
    run("killed")
    for name in ("checkpoint.safetensors", "encoder/checkpoint.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes(), name
    lines = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert all(0 < line["alignment"] < 2 for line in lines)
    assert not [name for name in load_file(model / "unet/diffusion_pytorch_model.safetensors") if "align" in name]
    assert Backbone.from_pretrained(model, device="cpu").image_size == 32


def test_a_run_is_told_by_its_captioned_photographs_and_weight(folder, captioned, aligned, tmp_path):
    photos = read_photos([folder], 32)
    short = dataclasses.replace(aligned, steps=1, autoencoder_steps=1, encoder=EncoderConfig(steps=1, fewest=5))

    def run(config, some):
        pretrain(photos, photos.names, {}, tmp_path / "run", config, device=CPU, captioned=some)

    run(short, captioned)
    with pytest.raises(ValueError, match=r"another run \(captioned differ\)"):
        run(short, None)
    with pytest.raises(ValueError, match=r"another run \(captioned differ\)"):
        run(short, dataclasses.replace(captioned, images=captioned.images[:, ::-1].copy()))
    with pytest.raises(ValueError, match=r"another run \(alignment differ\)"):
        run(dataclasses.replace(short, alignment=0.5), captioned)
    with pytest.raises(ValueError, match="--captioned: 0 of 2 classes have 150 photographs"):
        run(dataclasses.replace(short, encoder=EncoderConfig(steps=1, fewest=150)), captioned)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"alignment": 0.0}, "--alignment must be above 0"),
        ({"alignment": float("inf")}, "--alignment must be above 0"),
        ({"aligned_batch_size": 0}, "--aligned-batch-size must be at least 1"),
        ({"aligned_below": 1001}, "aligned_below must be 1 to 1000"),
    ],
)
def test_wrong_settings_are_named(config, changed, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(config, **changed)


def test_the_verb_takes_captioned_photographs_of_other_classes(cli, folder, tmp_path):
    for number in range(40):
        place = tmp_path / "others" / ("upright" if number % 2 else "lying")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(striped(number, number % 2)).save(place / f"{number}.png")
    (tmp_path / "others" / "lying" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    made = cli(
        f"pretrain {folder} --captioned others --encoder-steps 2 --alignment 0.5 --image-size 32 --steps 1 "
        "--batch-size 2 --autoencoder-steps 1 --out run --json",
        cwd=tmp_path,
    )
    # One photograph of each set could not be read.
    assert made.returncode == 1, made.stderr
    assert "40 captioned photographs of 2 classes" in made.stderr
    unreadable = json.loads(made.stdout)["unreadable"]
    assert ["broken.png" in unreadable[0], "torn.png" in unreadable[1], len(unreadable)] == [True, True, 2]
    record = json.loads((tmp_path / "run" / "pretrain.json").read_text())
    assert record["captioned"] == describe_photos(read_photos([tmp_path / "others"], 32))
    assert (record["encoder"]["steps"], record["alignment"]) == (2, 0.5)
    assert "alignment" in (tmp_path / "run" / "metrics.jsonl").read_text()
    assert folder_status(str(tmp_path / "run")).finished
    wrong = cli(f"pretrain {folder} --captioned others --alignment 0 --out other", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "--alignment must be above 0" in wrong.stderr
