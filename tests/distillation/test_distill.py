"""A student learns, resumes to the bit, is written as it was trained, and predicts without torch."""

import hashlib
import io
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from diffusionseg.data import ImageError, Sample, write_shard
from diffusionseg.distillation import DistillConfig, NetworkConfig, StudentNetwork, distill
from diffusionseg.engine import Engine
from diffusionseg.exploitation import AugmentConfig, DiffusionSeg, TrainConfig
from diffusionseg.prediction import PredictConfig, predict_folder
from diffusionseg.segmenters import is_student, load_segmenter
from diffusionseg.student import Student
from discs import disc_pair

SETTINGS = DistillConfig(
    side=32,
    network=NetworkConfig(widths=(8, 16, 16), depths=(1, 1, 1), fusion=8),
    training=TrainConfig(
        steps=90,
        batch_size=8,
        learning_rate=5e-3,
        views=0,
        average_decay=0.9,
        held_out=0.2,
        save_every=30,
        preview_every=45,
        augment=AugmentConfig(scale=(0.9, 1.1), paste=0.0),
    ),
)


@pytest.fixture(scope="module")
def pairs():
    return [disc_pair(seed, 40) for seed in range(15)]


@pytest.fixture(scope="module")
def folder(pairs, tmp_path_factory):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("student")
    distill(pairs, out, config=SETTINGS)
    torch.set_num_threads(threads)
    return out


@pytest.fixture(scope="module")
def student(folder):
    return Student.from_pretrained(folder)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Discs that no training saw, as files of several sizes, and one that is damaged."""
    place = tmp_path_factory.mktemp("photos")
    for seed in range(6):
        Image.fromarray(disc_pair(100 + seed, 48 + 7 * seed)[0]).save(place / f"{seed}.png")
    (place / "5.png").write_bytes((place / "5.png").read_bytes()[:200])
    return place


@pytest.fixture(scope="module")
def stored(pairs, tmp_path_factory):
    """The pairs as a set in a folder."""
    place = tmp_path_factory.mktemp("pairs")
    samples = [Sample(n, {"jpg": png(image), "mask.png": png(mask)}, {}) for n, (image, mask) in enumerate(pairs)]
    write_shard(place, 0, samples, {})
    return place


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def copied(folder, place):
    place.mkdir()
    for name in ("config.json", "student.onnx", "student-int8.onnx"):
        (place / name).write_bytes((folder / name).read_bytes())
    return place


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize("file", ["student.onnx", "student-int8.onnx"])
def test_it_learns_the_discs_also_in_8_bits(folder, file):
    model = Student.from_pretrained(folder / file)
    unseen = [disc_pair(200 + seed, 50) for seed in range(6)]
    found = model.predict([image for image, _ in unseen], config=PredictConfig(refine="none"))
    assert np.mean([iou(p.mask, mask == 255) for p, (_, mask) in zip(found, unseen, strict=True)]) > 0.75
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["held_out_iou"] > 0.75


def test_the_file_is_the_network_that_was_trained(folder, student):
    network = StudentNetwork(SETTINGS.network)
    saved = load_file(folder / "checkpoint.safetensors")
    network.load_state_dict({k[8:]: v for k, v in saved.items() if k.startswith("average.")})
    image = disc_pair(300, 32)[0]
    picture = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        expected = network.eval()(picture).sigmoid()[0, 0].numpy()
    found = student.saliency([image])[0]
    assert found.shape == (16, 16)
    # Its weights are stored in half precision.
    assert np.abs(found - expected).max() < 5e-3


def test_files_are_those_of_the_configuration_and_tell_nothing_of_this_machine(folder):
    for name, digest in json.loads((folder / "config.json").read_text())["files"].items():
        content = (folder / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
        assert not [b for b in (b"site-packages", b"distillation/", b"Traceback", b".py:") if b in content]
        onnx.checker.check_model(onnx.load(folder / name))
        assert onnx.load(folder / name).graph.input[0].type.tensor_type.shape.dim[0].dim_param


def test_a_resumed_run_is_the_same_to_the_bit(folder, pairs, tmp_path):
    class Stop(Exception):
        pass

    def stop(done, total, values):
        if done == 40:
            raise Stop

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.raises(Stop):
        distill(pairs, tmp_path / "run", config=SETTINGS, report=stop)
    distill(pairs, tmp_path / "run", config=SETTINGS)
    torch.set_num_threads(threads)
    for name in ("student.onnx", "student-int8.onnx", "checkpoint.safetensors", "config.json"):
        assert (tmp_path / "run" / name).read_bytes() == (folder / name).read_bytes(), name


def test_another_run_in_the_folder_is_refused(folder, pairs):
    changed = replace(SETTINGS, training=replace(SETTINGS.training, learning_rate=1e-3))
    with pytest.raises(ValueError, match=r"holds another run \(training.learning_rate differ\)"):
        distill(pairs, folder, config=changed)
    with pytest.raises(ValueError, match="no pair to train on"):
        distill([], folder, config=SETTINGS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DistillConfig(side=100), "--side must be a multiple of 32, got 100"),
        (lambda: NetworkConfig(widths=(8, 8), depths=(1,)), "widths and depths must be as many"),
        (lambda: NetworkConfig(widths=(8, 4), depths=(1, 1)), "too small"),
    ],
)
def test_wrong_settings_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_engines_and_company_change_nothing(student, photos, tmp_path):
    alone = {str(n): student.predict(photos / f"{n}.png")[0].saliency.tobytes() for n in range(5)}
    together = dict(student.predict_iter((str(n), photos / f"{n}.png") for n in range(6)))
    assert isinstance(together.pop("5"), ImageError)
    assert {key: found.saliency.tobytes() for key, (_, found) in together.items()} == alone
    for name, engine in (("local", Engine("local")), ("two", Engine("processes", 2))):
        summary = predict_folder(student, [photos], tmp_path / name, engine=engine)
        assert (summary.predicted, len(summary.errors)) == (5, 1)
    for path in (tmp_path / "local").glob("*.png"):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_flipping_averages_with_the_mirror(student, photos):
    image = disc_pair(7, 32)[0]
    plain, mirrored = student.saliency([image])[0], student.saliency([image[:, ::-1]])[0]
    assert np.allclose(student.saliency([image], flip=True)[0], (plain + mirrored[:, ::-1]) / 2, atol=1e-6)


def test_the_command_line_imports_nothing_that_a_student_does_not_need(folder, photos, tmp_path):
    costly = {"torch", "diffusers", "transformers", "huggingface_hub", "onnx", "matplotlib", "fsspec"}
    costly |= {f"scipy.{room}" for room in ("cluster", "interpolate", "optimize", "spatial", "stats")}
    others = {"diffusionseg.cli.train", "diffusionseg.evaluation", "diffusionseg.synthesis"}
    code = (
        "import sys\n"
        f"sys.argv = ['diffusionseg', 'predict', {str(photos)!r}, '--weights', {str(folder)!r}, '--out', 'p']\n"
        "from diffusionseg.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    print(end.code)\n"
        f"print(sorted({costly | others!r} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["1", "[]"], done.stderr
    assert len(list((tmp_path / "p").glob("*.mask.png"))) == 5


def test_a_student_is_told_from_a_decoder(folder):
    assert is_student(folder)
    assert is_student(folder / "student-int8.onnx")
    assert not is_student("mini")
    assert isinstance(load_segmenter(folder), Student)
    with pytest.raises(ValueError, match="a student, which has no generator; a decoder is needed here"):
        DiffusionSeg.from_pretrained(folder)
    for wrong in ({"device": "cuda"}, {"dtype": "float16"}, {"model": "mini"}):
        with pytest.raises(ValueError, match="a student has no generator and runs in float32 on the CPU"):
            load_segmenter(folder, **wrong)
    with pytest.raises(ValueError, match=r"a student's file is named student\.onnx or student-int8\.onnx"):
        load_segmenter(folder / "other.onnx")


def test_a_student_comes_back_from_the_hub_with_a_card(folder, student, hub):
    assert student.push_to_hub("someone/student", license="mit") == "https://huggingface.co/someone/student"
    place = hub / "someone" / "student"
    for name in ("student.onnx", "student-int8.onnx", "config.json"):
        assert (place / name).read_bytes() == (folder / name).read_bytes()
    card = (place / "README.md").read_text()
    for said in ("license: mit\n", '"someone/student"', "15 image", "(N, 3, 32, 32)", "(N, 16, 16)"):
        assert said in card
    assert load_segmenter("someone/student").fingerprint == student.fingerprint
    small = load_segmenter("someone/student/student-int8.onnx")
    assert small.fingerprint == Student.from_pretrained(folder / "student-int8.onnx").fingerprint


def test_a_card_that_somebody_wrote_goes_along(folder, hub, tmp_path):
    made = (folder / "README.md").read_text()
    assert "license" not in made
    place = copied(folder, tmp_path / "copy")
    (place / "README.md").write_text(made + "Measured: well.\n")
    for file, saved in (("student.onnx", tmp_path / "one"), ("student-int8.onnx", tmp_path / "two")):
        Student.from_pretrained(place / file).save_pretrained(saved, note=1)
        assert {p.name for p in saved.iterdir()} == {p.name for p in place.iterdir()}
        assert json.loads((saved / "config.json").read_text())["note"] == 1
        assert (saved / "README.md").read_text().endswith("well.\n")
        Student.from_pretrained(saved / file)
    Student.from_pretrained(place).push_to_hub("someone/own")
    assert (hub / "someone" / "own" / "README.md").read_text().endswith("well.\n")
    (place / "student-int8.onnx").unlink()
    Student.from_pretrained(place).push_to_hub("someone/one")
    assert not (hub / "someone" / "one" / "student-int8.onnx").exists()
    load_segmenter("someone/one")


def test_what_a_student_refines_with_is_saved(folder, tmp_path):
    model = Student.from_pretrained(folder)
    model.predict_config = PredictConfig(threshold=0.3)
    model.save_pretrained(tmp_path)
    assert Student.from_pretrained(tmp_path).predict_config.threshold == 0.3


def damage_end(place):
    (place / "student.onnx").write_bytes((place / "student.onnx").read_bytes()[:-9])


def damage_bit(place):
    content = bytearray((place / "student.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (place / "student.onnx").write_bytes(content)


def change(place, **values):
    described = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps({**described, **values}))


def no_network(place):
    content = b"no network at all"
    (place / "student.onnx").write_bytes(content)
    change(place, files={"student.onnx": hashlib.sha256(content).hexdigest()})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_end, "student.onnx: not the file that .*config.json tells of; copy or download it again"),
        (damage_bit, "student.onnx: not the file that .*config.json tells of"),
        (lambda place: (place / "student.onnx").unlink(), "student.onnx: No such file"),
        (no_network, "student.onnx: not a network that onnxruntime can run"),
        (lambda place: change(place, student={"side": 64}), "expected pictures of 3x64x64"),
        (lambda place: change(place, student={"side": 10**9}), "config.json: not a student's configuration"),
        (lambda place: change(place, student=[]), "config.json: not a student's configuration"),
        (lambda place: change(place, files=None), "config.json: not a student's configuration"),
        (lambda place: change(place, predict={"threshold": 7}), "config.json: not a student's configuration"),
        (lambda place: (place / "config.json").unlink(), "has no config.json"),
    ],
)
def test_damaged_students_are_named(damage, message, folder, tmp_path):
    place = copied(folder, tmp_path / "copy")
    damage(place)
    with pytest.raises(ValueError, match=message):
        Student.from_pretrained(place)


def test_weights_that_are_no_numbers_are_an_error_of_the_photograph(folder, photos, tmp_path):
    place = copied(folder, tmp_path / "copy")
    model = onnx.load(place / "student.onnx")
    bias = next(t for t in model.graph.initializer if t.name.endswith("head.bias"))
    bias.CopyFrom(onnx.numpy_helper.from_array(np.full(1, np.nan, np.float32), bias.name))
    content = model.SerializeToString()
    (place / "student.onnx").write_bytes(content)
    change(place, files={"student.onnx": hashlib.sha256(content).hexdigest()})
    ((_, outcome),) = Student.from_pretrained(place).predict_iter([("a", photos / "0.png")])
    assert isinstance(outcome, ImageError)
    assert "no number" in str(outcome)


def test_without_the_packages_that_write_it_nothing_is_trained(pairs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    monkeypatch.delitem(sys.modules, "diffusionseg.distillation.onnx_files", raising=False)
    with pytest.raises(ValueError, match=r"pip install 'diffusionseg\[onnx\]'"):
        distill(pairs, tmp_path / "out", config=SETTINGS)
    assert not (tmp_path / "out").exists()


def test_the_verb_makes_a_student_that_predicts(cli, stored, photos, tmp_path):
    made = cli(f"distill {stored} --out s --side 32 --steps 2 --batch-size 2 --json", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["steps"] == 2
    described = json.loads((tmp_path / "s" / "config.json").read_text())
    assert described["predict"]["cut"]["prior"] == 0.25  # As its teacher's.
    done = cli(f"predict {photos} --weights s --out p --json --refine guided", cwd=tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout)["predicted"] == 5
