"""Students in folders and on the hub: what is written comes back, and damage is named."""

import hashlib
import json

import numpy as np
import onnx
import pytest

from diffusionseg.data import ImageError
from diffusionseg.exploitation import DiffusionSeg
from diffusionseg.prediction import PredictConfig
from diffusionseg.segmenters import is_student, load_segmenter
from diffusionseg.student import Student


def copied(folder, place):
    place.mkdir()
    for name in ("config.json", "student.onnx", "student-int8.onnx"):
        (place / name).write_bytes((folder / name).read_bytes())
    return place


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
