"""What `predict` is given other than files and folders, in processes of their own."""

import io
import json
import subprocess
import sys

import pytest
from PIL import Image

from diffusionseg.cli.predict_input import expanded
from diffusionseg.demo import photographs

PREDICT = [sys.executable, "-m", "diffusionseg", "predict"]


def piped(content, *words):
    return subprocess.run([*PREDICT, "-", "--weights", "student", *words], input=content, capture_output=True)


def test_standard_input_gives_the_bytes_of_a_file(cli, tmp_path):
    photo = photographs()[0]
    for weights in ("student", "mini"):
        assert cli(f"predict {photo} --weights {weights} --type rgba --out {weights}", cwd=tmp_path).returncode == 0
    done = piped(photo.read_bytes(), "--type", "rgba")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (tmp_path / "student" / f"{photo.stem}.rgba.png").read_bytes()
    done = piped(photo.read_bytes(), "--type", "rgba", "--weights", "mini")
    assert done.stdout == (tmp_path / "mini" / f"{photo.stem}.rgba.png").read_bytes()


def test_a_photograph_on_its_side_is_turned_upright_once(tmp_path):
    with Image.open(photographs()[0]) as image:
        exif = image.getexif()
        exif[0x0112] = 6
        turned = io.BytesIO()
        image.save(turned, "JPEG", exif=exif)
        upright = image.size[::-1]
    done = piped(turned.getvalue())
    with Image.open(io.BytesIO(done.stdout)) as mask:
        assert (mask.size, mask.mode) == (upright, "L")


def test_the_record_instead_of_the_picture():
    done = piped(photographs()[0].read_bytes(), "--json")
    with Image.open(photographs()[0]) as image:
        assert json.loads(done.stdout)["width"] == image.width


@pytest.mark.parametrize(
    ("content", "words", "message"),
    [
        (b"", [], "standard input: is empty"),
        (b"hello", [], "standard input: is a text file, not an image"),
        (b"x", ["--out", "o"], "leave --out away"),
        (b"x", ["--watch"], "leave --watch away"),
        (b"x", ["--include", "*.jpg", "--engine", "processes:2"], "leave --include and --engine away"),
        (b"x", ["--batch-size", "4", "--overwrite"], "leave --batch-size and --overwrite away"),
        (b"x", ["photo.jpg", "--out", "o"], "leave the other inputs and --out away"),
        (b"x", ["--type", "mask", "--type", "rgba"], "has room for one picture"),
        (b"x", ["--type", "sketch"], "--type sketch: choose from"),
        (b"x", ["--type", "rgba", "--background", "nocolour"], "not a colour"),
        (b"x", ["--background", "red"], "--background says what cut-outs look like; add --type rgba"),
        (b"x", ["--crop-to-object"], "--crop-to-object says what cut-outs look like; add --type rgba"),
        (
            b"x",
            ["--prior", "1", "--refine", "none"],
            "--prior counts in --refine cut alone, and it is none; leave --prior",
        ),
        (b"x", ["--workers", "3"], "--workers is for --engine ray, got 'local'"),
    ],
)
def test_wrong_use_is_named(content, words, message):
    done = piped(content, *words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert message in done.stderr.decode().replace("\n", " ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("photos", "--out is needed"),
        ("'photos/*.nothing' --out o", "matches no file"),
        ("photo.jpg --watch --out o", "--watch takes one folder"),
        ("photos --watch --engine processes:2 --out o", "--watch works with --engine local"),
        ("photos --watch --overwrite --out o", "without --overwrite"),
        ("photos --out o --weights student --model mini", "a student has no generator"),
        ("photos --out o --weights student --device cuda", "a student has no generator and runs in float32 on the CPU"),
    ],
)
def test_what_does_not_go_together_is_named(words, message, cli, home):
    done = cli(f"predict {words}", cwd=home)
    assert done.returncode == 2
    assert message in done.stderr.replace("\n", " ")


def test_patterns_are_what_they_match_and_names_are_taken_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.jpg", "a.jpg", "deep/c.jpg", "odd[1].jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    from pathlib import Path

    assert expanded([Path("?.jpg")]) == [Path("a.jpg"), Path("b.jpg")]
    assert expanded([Path("**/*.jpg")])[-1] == Path("odd[1].jpg")
    assert expanded([Path("odd[1].jpg"), Path("missing.jpg")]) == [Path("odd[1].jpg"), Path("missing.jpg")]
    assert expanded([tmp_path / "[ab].jpg", Path("a.jpg")])[:2] == [tmp_path / "a.jpg", tmp_path / "b.jpg"]


def test_a_folder_called_like_something_shipped_is_told_of(cli, tmp_path):
    (tmp_path / "student").mkdir()
    told = "student: the shipped one; the folder of this name here is ./student"
    done = cli(f"predict {photographs()[0]} --weights student --out P", cwd=tmp_path)
    assert (done.returncode, told in done.stderr) == (0, True)
    done = cli(f"predict {photographs()[0]} --weights ./student --out Q", cwd=tmp_path)
    assert (done.returncode, told in done.stderr) == (2, False)
    # As a generator nothing of that name is shipped.
    assert "the shipped one" not in cli("synth --classes cat --model student --out S", cwd=tmp_path).stderr
    for name, verb in (
        ("mini", "synth --classes cat --guidance 99 --out S --model"),
        ("student-int8", "predict no --out P --weights"),
    ):
        (tmp_path / name).mkdir()
        assert f"{name}: the shipped one" in cli(f"{verb} {name}", cwd=tmp_path).stderr
