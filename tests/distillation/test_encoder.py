"""A student's encoder learns classes of captioned photographs first, and the student begins with it."""

import json
import os
import shutil
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from diffusionseg.distillation import distill, run
from diffusionseg.pretraining import Photos, read_photos
from diffusionseg.recognition import EncoderConfig, describe_photos, find_encoder, of_frequent_classes
from diffusionseg.status import folder_status
from diffusionseg.student import Student
from small_student import SETTINGS
from stripes import striped_photos, write_striped

ENCODER = EncoderConfig(steps=60, batch_size=16, learning_rate=1e-2, average_decay=0.9, fewest=5)
LEARNS = replace(SETTINGS, encoder=ENCODER)
SHORT = replace(LEARNS, training=replace(SETTINGS.training, steps=25, save_every=20))
FILES = ("student.onnx", "config.json", "checkpoint.safetensors", "encoder/checkpoint.safetensors")


@pytest.fixture(scope="module")
def captioned():
    return striped_photos()


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
    trained = load_file(whole / "encoder" / "checkpoint.safetensors")
    names = [name for name in trained if name.startswith("average.") and name.endswith("0.weight")]
    assert len(names) > 6
    for name in names:
        assert torch.allclose(student[name], trained[name], atol=1e-6), name
    # Nothing but the encoder and what names the classes was trained and kept.
    assert {name.split(".")[1] for name in trained if name.startswith("average.")} == {"stem", "grids", "head"}


def test_the_encoder_of_an_earlier_run_does_as_well_as_one_trained_anew(pairs, captioned, whole, tmp_path):
    first, encoded = tmp_path / "first", []
    shutil.copytree(whole, first)
    for place in (first, first / "encoder"):
        out = tmp_path / f"from-{place.name}"
        distill(pairs, out, config=SHORT, encoder_from=place, report_encoder=lambda *told: encoded.append(told))
        assert (out / "student.onnx").read_bytes() == (whole / "student.onnx").read_bytes()
    assert encoded == []
    told = json.loads((out / "config.json").read_text())["encoder_from"]
    trained = json.loads((whole / "config.json").read_text())
    assert len(told.pop("sha256")) == 64
    assert told == {"captioned": trained["captioned"], "encoder": trained["encoder"], "seed": 0, "side": 16}
    assert "on the names of 2 classes of 200 photographs (its encoder)" in (out / "README.md").read_text()
    assert folder_status(str(out)).finished
    # It goes on where the other run is gone, and refuses another encoder.
    shutil.rmtree(first)
    (out / "checkpoint.safetensors").unlink()
    distill(pairs, out, config=SHORT, encoder_from=first)
    assert (out / "student.onnx").read_bytes() == (whole / "student.onnx").read_bytes()
    seeded = replace(SHORT, training=replace(SHORT.training, seed=1, steps=1))
    distill(pairs, tmp_path / "seeded", config=seeded, captioned=captioned)
    with pytest.raises(ValueError, match=r"holds another run \(encoder_from.seed, encoder_from.sha256 differ\)"):
        distill(pairs, out, config=SHORT, encoder_from=tmp_path / "seeded")
    with pytest.raises(ValueError, match=r"holds another run \(encoder_from differ\)"):
        distill(pairs, out, config=SHORT)
    with pytest.raises(ValueError, match="--overwrite deletes it; copy that run, or choose another --out"):
        distill(pairs, out, config=SHORT, encoder_from=out, overwrite=True)
    assert (out / "encoder" / "checkpoint.safetensors").exists()
    distill(pairs, out, config=SHORT, encoder_from=tmp_path / "seeded", overwrite=True)
    assert json.loads((out / "config.json").read_text())["encoder_from"]["seed"] == 1


def test_what_holds_no_finished_encoder_is_named(pairs, captioned, whole, folder, tmp_path):
    def refused(place, config=SHORT, **given):
        with pytest.raises(ValueError, match="--encoder-from") as error:
            distill(pairs, tmp_path / "out", config=config, encoder_from=place, **given)
        assert not (tmp_path / "out").exists()
        return str(error.value)

    for place in (tmp_path / "none", folder):
        assert f"no {place}/encoder/checkpoint.safetensors; give the folder of a pretrain or distill" in refused(place)
    wider = replace(SHORT, network=replace(SHORT.network, widths=(8, 16, 24)))
    assert "encoder/checkpoint.safetensors: belongs to another model" in refused(whole, wider)

    def stop(done, *_):
        if done == 21:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distill(pairs, tmp_path / "begun", config=SHORT, captioned=captioned, report_encoder=stop)
    assert "has 20 of its 60 steps behind it; let that run go on first" in refused(tmp_path / "begun")
    assert "--captioned and --encoder-from: each says" in refused(whole, captioned=captioned)
    (tmp_path / "damaged" / "encoder").mkdir(parents=True)
    (tmp_path / "damaged" / "encoder" / "checkpoint.safetensors").write_bytes(b"no weights")
    assert "damaged checkpoint" in refused(tmp_path / "damaged")
    (tmp_path / "student" / "encoder").mkdir(parents=True)
    shutil.copy(whole / "checkpoint.safetensors", tmp_path / "student" / "encoder")
    assert "does not say what its encoder has learnt" in refused(tmp_path / "student")


def test_a_run_whose_own_folder_is_called_encoder_has_its_encoder_within(whole, tmp_path):
    run = tmp_path / "encoder"
    shutil.copytree(whole, run)
    assert find_encoder(run, tmp_path / "out") == run / "encoder"
    assert find_encoder(run / "encoder", tmp_path / "out") == run / "encoder"


@pytest.mark.parametrize("stops_after", [30, 61, 82])
def test_a_resumed_run_is_the_same_to_the_bit(pairs, captioned, whole, tmp_path, stops_after):
    calls = count(1)

    def stop(done, total, values):
        if next(calls) == stops_after:
            raise KeyboardInterrupt

    given = {"config": SHORT, "captioned": captioned}
    with pytest.raises(KeyboardInterrupt):
        distill(pairs, tmp_path, **given, report=stop, report_encoder=stop)
    trained = tmp_path / "checkpoint.safetensors"
    assert trained.exists() == (stops_after == 82)
    if trained.exists():
        # Its weights are in the student's by then.
        (tmp_path / "encoder" / "checkpoint.safetensors").unlink()
    encoded = []
    distill(pairs, tmp_path, **given, report_encoder=lambda done, *_: encoded.append(done))
    assert encoded == (list(range(21, 61)) if stops_after == 30 else [])
    for name in FILES[:3] if stops_after == 82 else FILES:
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_captioned_student_predicts_and_its_card_tells_of_the_names(whole, pairs):
    found = Student.from_pretrained(whole).predict([pairs[0][0]])[0]
    assert found.saliency.shape == (40, 40)
    assert (
        "on the names of 2 classes of 200 photographs (its encoder) and 15 image" in (whole / "README.md").read_text()
    )


def test_a_run_says_what_its_encoder_saw_and_refuses_another(pairs, captioned, whole):
    told = json.loads((whole / "config.json").read_text())
    assert (told["captioned"]["count"], told["captioned"]["classes"], told["encoder"]["steps"]) == (200, 2, 60)
    others = replace_images(captioned, captioned.images[:, ::-1])
    with pytest.raises(ValueError, match=r"holds another run \(captioned.sha256 differ\)"):
        distill(pairs, whole, config=SHORT, captioned=others)
    renamed = Photos(captioned.images, captioned.labels, ("flat", "upright"))
    with pytest.raises(ValueError, match=r"holds another run \(captioned.sha256 differ\)"):
        distill(pairs, whole, config=SHORT, captioned=renamed)
    swapped = replace(captioned, labels=1 - captioned.labels)
    with pytest.raises(ValueError, match=r"holds another run \(captioned.sha256 differ\)"):
        distill(pairs, whole, config=SHORT, captioned=swapped)
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
    (out / "encoder" / "mine.txt").write_text("mine")
    too_few = replace(small, encoder=replace(small.encoder, fewest=150))
    with pytest.raises(ValueError, match="--captioned: 0 of 2 classes have 150"):
        distill(pairs, out, config=too_few, captioned=captioned, overwrite=True)
    assert (out / "student.onnx").exists()
    distill(pairs, out, config=small, overwrite=True)
    assert [path.name for path in (out / "encoder").iterdir()] == ["mine.txt"]


def test_the_encoder_of_another_run_is_refused(pairs, captioned, whole, tmp_path):
    shutil.copytree(whole / "encoder", tmp_path / "encoder")
    others = replace_images(captioned, captioned.images[:, ::-1])
    with pytest.raises(
        ValueError, match=r"holds encoder/checkpoint.safetensors, .* but no run.json of a run; use anot"
    ):
        distill(pairs, tmp_path, config=SHORT, captioned=others)
    # As of a run that was interrupted, and then given another's encoder.
    shutil.copytree(tmp_path / "encoder", tmp_path / "run" / "encoder")
    (tmp_path / "run" / "run.json").write_bytes((whole / "run.json").read_bytes())
    steps = replace(SHORT, encoder=replace(SHORT.encoder, steps=1))
    distill(pairs, tmp_path / "short", config=steps, captioned=captioned)
    shutil.copy(tmp_path / "short" / "encoder" / "checkpoint.safetensors", tmp_path / "run" / "encoder")
    with pytest.raises(ValueError, match="encoder: holds the encoder of another run; use another --out"):
        distill(pairs, tmp_path / "run", config=SHORT, captioned=captioned)


def test_the_encoder_is_trained_as_the_student_will_be(pairs, captioned, tmp_path, monkeypatch):
    given = []

    def training(network, photos, out, config, **named):
        given.append((config, named))
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "train_encoder", training)
    training_config = replace(SHORT.training, seed=3, dtype="bf16", save_every=7)
    with pytest.raises(KeyboardInterrupt):
        distill(pairs, tmp_path, config=replace(SHORT, training=training_config), captioned=captioned)
    config, named = given[0]
    assert config == ENCODER
    assert (named["side"], named["seed"], named["dtype"], named["save_every"]) == (16, 3, "bf16", 7)


def test_status_tells_of_the_encoder_first(pairs, captioned, tmp_path):
    told = []

    def look(done, total, values):
        told.append(folder_status(str(tmp_path)))

    distill(pairs, tmp_path, config=SHORT, captioned=captioned, report=look, report_encoder=look)
    assert (told[9].unit, told[9].done, told[9].total) == ("steps of its encoder", 10, 60)
    assert (told[69].unit, told[69].done, told[69].total) == ("steps", 10, 25)
    assert not told[59].finished
    assert folder_status(str(tmp_path)).finished


def test_the_time_of_the_encoder_does_not_count_for_the_student(pairs, captioned, whole, tmp_path):
    shutil.copytree(whole, tmp_path / "run")
    for name, second in (("run.json", 1000), ("encoder/metrics.jsonl", 4000), ("metrics.jsonl", 4060)):
        os.utime(tmp_path / "run" / name, (second, second))
    assert folder_status(str(tmp_path / "run")).per_minute == pytest.approx(25)


def test_the_verb_takes_photographs_of_classes(cli, stored, tmp_path):
    write_striped(tmp_path / "photos", 40)
    (tmp_path / "photos" / "lying" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for rare in ("slanted", "wavy"):
        (tmp_path / "photos" / rare).mkdir()
        shutil.copy(tmp_path / "photos" / "lying" / "0.png", tmp_path / "photos" / rare)
    command = f"distill {stored} --captioned photos --encoder-steps 2 --out s --side 32 --steps 2 --batch-size 2 --json"
    made = cli(command + " --log log.jsonl", cwd=tmp_path)
    # One photograph could not be read.
    assert made.returncode == 1, made.stderr
    told = " ".join(made.stderr.split())
    assert "left out: 2 captioned photographs, since their 2 classes have fewer than 20" in told
    assert "40 captioned photographs of 2 classes" in made.stderr
    assert "broken.png" in made.stderr
    told = json.loads(made.stdout)
    assert len(told["unreadable"]) == 1
    assert told["steps"] == 2
    assert "accuracy" not in told
    assert (told["captioned"], told["classes"]) == (40, 2)
    read = describe_photos(of_frequent_classes(read_photos([tmp_path / "photos"], 16), 20))
    assert json.loads((tmp_path / "s" / "config.json").read_text())["captioned"] == read
    stages = [json.loads(line).get("stage") for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert "encoder" in stages
    assert '"failure"' in (tmp_path / "log.jsonl").read_text()
    assert (tmp_path / "s" / "encoder" / "checkpoint.safetensors").exists()
    useless = cli(f"distill {stored} --encoder-steps 2 --out t", cwd=tmp_path)
    assert useless.returncode == 2
    assert "how long to learn from --captioned" in useless.stderr
    both = cli(f"{command} --start-from s", cwd=tmp_path)
    assert both.returncode == 2
    assert "--captioned and --start-from: each says what the student's encoder begins with" in both.stderr
    assert "captioned photographs" not in both.stderr
    taken = cli(f"distill {stored} --encoder-from s --out t --side 32 --steps 2 --batch-size 2 --json", cwd=tmp_path)
    assert taken.returncode == 0, taken.stderr
    assert json.loads((tmp_path / "t" / "config.json").read_text())["encoder_from"]["captioned"] == read
    useless = cli(f"distill {stored} --encoder-steps 2 --encoder-from s --out u", cwd=tmp_path)
    assert useless.returncode == 2
    assert "--encoder-from brings one that is trained" in useless.stderr
    (tmp_path / "none" / "a").mkdir(parents=True)
    none = cli(f"distill {stored} --captioned none --out t", cwd=tmp_path)
    assert none.returncode == 2
    assert "no image" in none.stderr or "no readable photograph in none" in none.stderr


def replace_images(photos, images):
    return replace(photos, images=np.ascontiguousarray(images))
