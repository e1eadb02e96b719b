"""A student's encoder learns classes of captioned photographs first, and the student begins with it."""

import json
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from diffusionseg.distillation import EncoderConfig, distill
from diffusionseg.distillation.encoder import crops, of_frequent_classes
from diffusionseg.pretraining import Photos
from small_student import SETTINGS

ENCODER = EncoderConfig(steps=60, batch_size=16, learning_rate=1e-2, average_decay=0.9, fewest=5)
LEARNS = replace(SETTINGS, encoder=ENCODER)
SHORT = replace(LEARNS, training=replace(SETTINGS.training, steps=3, save_every=20))
FILES = ("student.onnx", "config.json", "checkpoint.safetensors", "encoder/checkpoint.safetensors")


def striped(seed, upright):
    """(16, 16, 3) of stripes in random colours, upright or lying: no single pixel tells which."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, (2, 3))
    image = colours[(np.arange(16) // 2 + seed) % 2][None].repeat(16, 0)
    return (image if upright else image.transpose(1, 0, 2)).astype(np.uint8)


@pytest.fixture(scope="module")
def captioned():
    images = np.stack([striped(seed, seed % 2) for seed in range(200)])
    return Photos(images, np.arange(200) % 2, ("lying", "upright"))


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole(pairs, captioned, tmp_path_factory):
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("whole")
    distill(pairs, out, config=SHORT, captioned=captioned)
    return out


def test_it_learns_to_tell_classes_apart(whole):
    lines = [json.loads(line) for line in (whole / "encoder" / "metrics.jsonl").read_text().splitlines()]
    measured = [line["accuracy"] for line in lines if "accuracy" in line]
    assert [line["step"] for line in lines if "accuracy" in line] == [19, 39, 59]
    assert measured[-1] == 1.0
    assert lines[-1]["loss"] < lines[0]["loss"] - 0.2
    assert (whole / "encoder" / "curves.png").stat().st_size > 1000


def test_the_student_begins_with_the_averaged_encoder(pairs, captioned, whole, tmp_path):
    still = replace(SHORT, training=replace(SHORT.training, steps=1, learning_rate=1e-12, average_decay=0.0))
    distill(pairs, tmp_path / "still", config=still, captioned=captioned)
    student = load_file(tmp_path / "still" / "checkpoint.safetensors")
    encoder = load_file(whole / "encoder" / "checkpoint.safetensors")
    names = [name for name in encoder if name.startswith("average.") and name.endswith("0.weight")]
    assert len(names) > 6
    for name in names:
        assert torch.allclose(student[name], encoder[name], atol=1e-6), name
    # Nothing but the encoder and what names the classes was trained and kept.
    assert {name.split(".")[1] for name in encoder if name.startswith("average.")} == {"stem", "grids", "head"}


@pytest.mark.parametrize("stops_after", [30, 61])
def test_a_resumed_run_is_the_same_to_the_bit(pairs, captioned, whole, tmp_path, stops_after):
    calls = count(1)

    def stop(done, total, values):
        if next(calls) == stops_after:
            raise KeyboardInterrupt

    given = {"config": SHORT, "captioned": captioned}
    with pytest.raises(KeyboardInterrupt):
        distill(pairs, tmp_path, **given, report=stop, report_encoder=stop)
    encoded = []
    distill(pairs, tmp_path, **given, report_encoder=lambda done, *_: encoded.append(done))
    assert encoded == (list(range(21, 61)) if stops_after == 30 else [])
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_run_says_what_its_encoder_saw_and_refuses_another(pairs, captioned, whole):
    told = json.loads((whole / "config.json").read_text())
    assert (told["captioned"]["count"], told["captioned"]["classes"], told["encoder"]["steps"]) == (200, 2, 60)
    others = replace_images(captioned, captioned.images[:, ::-1])
    with pytest.raises(ValueError, match=r"holds another run \(captioned.sha256 differ\)"):
        distill(pairs, whole, config=SHORT, captioned=others)
    renamed = Photos(captioned.images, captioned.labels, ("flat", "upright"))
    with pytest.raises(ValueError, match=r"holds another run \(captioned.sha256 differ\)"):
        distill(pairs, whole, config=SHORT, captioned=renamed)
    longer = replace(SHORT, encoder=replace(ENCODER, steps=61))
    with pytest.raises(ValueError, match=r"holds another run \(encoder.steps differ\)"):
        distill(pairs, whole, config=longer, captioned=captioned)
    with pytest.raises(ValueError, match=r"holds another run \(captioned, encoder differ\)"):
        distill(pairs, whole, config=SHORT)


def test_a_run_that_begins_anew_trains_its_encoder_anew(pairs, captioned, tmp_path):
    out, seen = tmp_path / "out", []
    small = replace(SHORT, encoder=replace(ENCODER, steps=2))
    for _ in range(2):
        distill(
            pairs,
            out,
            config=small,
            captioned=captioned,
            overwrite=True,
            report_encoder=lambda done, *_: seen.append(done),
        )
    assert seen == [1, 2, 1, 2]
    distill(pairs, out, config=small, overwrite=True)
    assert not (out / "encoder").exists()


def test_crops_are_parts_of_the_photograph_drawn_from_the_generator_alone():
    ramp = np.arange(64, dtype=np.uint8)
    image = np.stack(
        [np.tile(ramp * 2, (64, 1)), np.tile(ramp[:, None] * 2, (1, 64)), np.full((64, 64), 60, np.uint8)], -1
    )
    images = np.stack([image] * 64)

    def drawn(seed, **changed):
        return crops(images, 32, replace(EncoderConfig(), **changed), torch.Generator().manual_seed(seed))

    found = drawn(3)
    assert found.shape == (64, 3, 32, 32)
    assert found.min() >= 0
    assert found.max() <= 1
    assert torch.equal(found, drawn(3))
    assert not torch.equal(found, drawn(4))
    # The third channel is the same everywhere, so that a whole photograph may only be told by a part's slopes.
    slopes = (found[:, 0, 16, 24] - found[:, 0, 16, 8]).abs() / (found[:, 1, 24, 16] - found[:, 1, 8, 16]).abs()
    assert (4 / 3) ** -1.1 < slopes.median() < (4 / 3) ** 1.1
    assert 0.2 < ((found[:, 0, 16, 24] < found[:, 0, 16, 8]).float().mean()) < 0.8
    assert (found[:, 1, 24, 16] >= found[:, 1, 8, 16]).all()
    whole, parts = drawn(3, area=(1.0, 1.0)), drawn(3, area=(0.2, 0.25))
    spread = [(each.amax((2, 3)) - each.amin((2, 3)))[:, 1].mean() for each in (whole, parts)]
    assert spread[1] < 0.65 * spread[0]


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
        ({"area": (0.5, 0.2)}, "encoder area must be 0 < low <= high <= 1"),
    ],
)
def test_wrong_settings_are_named(changed, message):
    with pytest.raises(ValueError, match=message):
        EncoderConfig(**changed)


def test_the_verb_takes_photographs_of_classes(cli, stored, tmp_path):
    for number in range(40):
        place = tmp_path / "photos" / ("upright" if number % 2 else "lying")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(striped(number, number % 2)).save(place / f"{number}.png")
    (tmp_path / "photos" / "lying" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    command = f"distill {stored} --captioned photos --encoder-steps 2 --out s --side 32 --steps 2 --batch-size 2 --json"
    made = cli(command + " --log log.jsonl", cwd=tmp_path)
    # One photograph could not be read.
    assert made.returncode == 1, made.stderr
    assert "40 captioned photographs of 2 classes" in made.stderr
    assert "broken.png" in made.stderr
    told = json.loads(made.stdout)
    assert len(told["unreadable"]) == 1
    assert told["steps"] == 2
    assert "accuracy" not in told
    stages = [json.loads(line).get("stage") for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert "encoder" in stages
    assert (tmp_path / "s" / "encoder" / "checkpoint.safetensors").exists()
    both = cli(f"{command} --start-from s", cwd=tmp_path)
    assert both.returncode == 2
    assert "--captioned trains an encoder afresh" in both.stderr
    none = cli(f"distill {stored} --captioned {stored} --out t", cwd=tmp_path)
    assert none.returncode == 2
    assert "lies outside the sub-folders" in none.stderr or "no readable photograph" in none.stderr


def replace_images(photos, images):
    return Photos(np.ascontiguousarray(images), photos.labels, photos.names)
