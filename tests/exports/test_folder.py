"""What is damaged is named and the rest exported; the folder is whole or not there; nothing is written over."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from diffusionseg.cli.app import application
from diffusionseg.demo import photographs
from diffusionseg.exports import FORMATS, ExportConfig, export
from diffusionseg.exports import run as run_module


def run(*words):
    return CliRunner().invoke(application(), ["export", *map(str, words)])


def said(done):
    return " ".join(done.output.split())


@pytest.fixture
def damaged(predictions, tmp_path):
    """The predictions, of which one has a damaged mask, one none, one a mask of another size, one failed before."""
    folder = tmp_path / "predictions"
    shutil.copytree(predictions[0], folder)
    path = folder / "animals" / "cat.mask.png"
    path.write_bytes(path.read_bytes()[:-30])
    (folder / "animals" / "dog.mask.png").unlink()
    Image.new("L", (20, 21)).save(folder / "none.mask.png")
    with (folder / "predictions.jsonl").open("a") as lines:
        lines.write('{"image": "bad.jpg", "error": "is a video"}\n{"image": "../away.jpg", "boxes": []}\n')
    return folder


def test_all_that_is_damaged_is_named_and_the_rest_exported(damaged, tmp_path):
    done = run(damaged, "--format", "coco", "--out", tmp_path / "coco", "--json")
    assert done.exit_code == 1
    summary = json.loads(done.stdout)
    assert summary["images"] == 1
    reasons = {error["file"]: error["reason"] for error in summary["errors"]}
    assert "cannot be read" in reasons["animals/cat.jpg"]
    assert "--type mask" in reasons["animals/dog.png"]
    assert "20x21" in reasons["none.jpg"]
    assert "is a video" in reasons["bad.jpg"]
    assert "no path below" in reasons["../away.jpg"]
    assert all(f"failed: {name}: " in said(done) for name in reasons)
    data = json.loads((tmp_path / "coco" / "annotations" / "instances_default.json").read_text())
    assert [image["file_name"] for image in data["images"]] == ["käfer 1.jpg"]


def test_photographs_that_were_predicted_by_absolute_names(cli, tmp_path):
    (tmp_path / "work").mkdir()
    for name in ("a/one.jpg", "b/one.jpg"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True)
        shutil.copy(photographs()[0], tmp_path / "photos" / name)
    paths = sorted((tmp_path / "photos").rglob("*.jpg"))
    (tmp_path / "list.txt").write_text("".join(f"{path}\n" for path in paths))
    predict = ["predict", "--list", tmp_path / "list.txt", "--weights", "student", "--type", "mask", "--out", "P"]
    assert cli(predict, tmp_path / "work").returncode == 0
    predicted = tmp_path / "work" / "P"
    records = [json.loads(line) for line in (predicted / "predictions.jsonl").read_text().splitlines()]
    assert sorted(record["image"] for record in records) == list(map(str, paths))
    names = [str(path).lstrip("/") for path in paths]
    done = run(predicted, "--format", "coco", "--out", tmp_path / "coco")
    assert done.exit_code == 0, done.output
    data = json.loads((tmp_path / "coco" / "annotations" / "instances_default.json").read_text())
    assert sorted(image["file_name"] for image in data["images"]) == names
    (tmp_path / "moved" / names[0]).parent.parent.parent.mkdir(parents=True)
    (tmp_path / "photos").rename((tmp_path / "moved" / names[0]).parent.parent)
    assert run(predicted, "--format", "images", "--out", tmp_path / "lost").exit_code == 2
    done = run(predicted, "--format", "images", "--images", tmp_path / "moved", "--out", tmp_path / "images")
    assert done.exit_code == 0, done.output
    assert all((tmp_path / "images" / "images" / name).is_file() for name in names)


def test_names_that_lead_out_of_the_folder_or_meet_another_are_refused(predictions, tmp_path):
    folder = tmp_path / "predictions"
    shutil.copytree(predictions[0], folder)
    refused = ["/", "/animals/../none.jpg", "/none.jpg"]
    with (folder / "predictions.jsonl").open("a") as lines:
        lines.writelines(json.dumps({"image": name, "boxes": []}) + "\n" for name in refused)
    summary = export(folder, tmp_path / "out", ExportConfig("coco"))
    assert [name for name, _ in summary.errors] == refused
    assert "has the name of none.jpg" in summary.errors[-1][1]
    assert summary.images == len(predictions[2])


@pytest.mark.parametrize("format", FORMATS)
def test_a_name_that_is_not_utf_8_is_one_error_of_many(predictions, tmp_path, format):
    folder, strange = tmp_path / "predictions", os.fsdecode(b"\xff\xfe")
    shutil.copytree(predictions[0], folder)
    shutil.copy(folder / "käfer 1.mask.png", folder / f"{strange}.mask.png")
    shutil.copy(predictions[1] / "käfer 1.jpg", tmp_path / f"{strange}.jpg")
    record = {"image": f"{strange}.jpg", "source": str(tmp_path / f"{strange}.jpg"), "width": 64, "height": 48}
    with (folder / "predictions.jsonl").open("a") as lines:
        lines.write(json.dumps({**record, "boxes": [[1, 1, 6, 5]], "scores": [0.5]}) + "\n")
    summary = export(folder, tmp_path / "out", ExportConfig(format))
    taken = format in ("coco", "coco-results", "images")
    assert summary.images == len(predictions[2]) + taken
    assert [reason for _, reason in summary.errors] == (
        [] if taken else [f"its name is not UTF-8, which {format} needs; rename it"]
    )


@pytest.mark.parametrize("format", ["coco", "yolo"])
def test_a_mask_without_photograph_is_named_once_and_not_exported(tmp_path, format):
    for name in ("a", "b"):
        for kind, size in (("images", "jpg"), ("masks", "png")):
            (tmp_path / "set" / kind).mkdir(parents=True, exist_ok=True)
            Image.new("L" if kind == "masks" else "RGB", (8, 8), "white").save(
                tmp_path / "set" / kind / f"{name}.{size}"
            )
    Image.new("L", (8, 8), "white").save(tmp_path / "set" / "masks" / "c.png")
    told = []
    summary = export(
        tmp_path / "set", tmp_path / "out", ExportConfig(format), report=lambda *numbers: told.append(numbers)
    )
    assert summary.images == 2
    assert told[-1] == (3, 3)
    assert [(name, "without image" in reason) for name, reason in summary.errors] == [("c", True)]


def test_a_file_url_is_the_folder_it_means(shards, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(shards[0], "--format", "coco", "--out", f"file://{tmp_path}/out", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["out"] == str(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_nothing_left_is_status_two_and_leaves_nothing(damaged, tmp_path):
    (damaged / "käfer 1.mask.png").unlink()
    done = run(damaged, "--format", "voc", "--out", tmp_path / "voc")
    assert done.exit_code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["predictions"]


@pytest.mark.parametrize("format", [f for f in FORMATS if f != "coco-results"])
def test_damaged_shards_are_named_and_the_others_exported(shards, tmp_path, format):
    shutil.copytree(shards[0], tmp_path / "set")
    path = tmp_path / "set" / "shard-000000.tar"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    summary = export(tmp_path / "set", tmp_path / "out", ExportConfig(format))
    assert (summary.images, [name for name, _ in summary.errors]) == (2, ["shard-000000.tar"])


def test_an_export_is_replaced_only_when_asked_and_other_folders_never(shards, tmp_path):
    out = tmp_path / "out"
    assert run(shards[0], "--format", "yolo", "--out", out).exit_code == 0
    first = sorted(path.name for path in out.iterdir())
    done = run(shards[0], "--format", "coco", "--out", out)
    assert done.exit_code == 2
    assert "holds an export already" in said(done)
    assert sorted(path.name for path in out.iterdir()) == first
    assert run(shards[0], "--format", "coco", "--out", out, "--overwrite").exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == ["annotations", "export.json"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    done = run(shards[0], "--format", "coco", "--out", tmp_path / "mine", "--overwrite")
    assert (done.exit_code, "holds thesis.txt and is no export" in said(done)) == (2, True)
    done = run(shards[0], "--format", "coco", "--out", shards[0].parent, "--overwrite")
    assert (done.exit_code, "holds the source" in said(done)) == (2, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "out"]


def test_an_interrupted_export_leaves_what_was_there(shards, tmp_path, monkeypatch):
    export(shards[0], tmp_path / "out", ExportConfig("coco"))
    before = (tmp_path / "out" / "export.json").read_bytes()

    class Interrupted(run_module.WRITERS["yolo"]):
        def finish(self):
            raise KeyboardInterrupt

    monkeypatch.setitem(run_module.WRITERS, "yolo", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(shards[0], tmp_path / "out", ExportConfig("yolo"), overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "export.json").read_bytes() == before


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_source_gives_the_same_bytes(predictions, tmp_path, format):
    for name in ("one", "two"):
        export(predictions[0], tmp_path / name, ExportConfig(format))
    contents = [
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("one", "two")
    ]
    assert contents[0] == contents[1]


def test_photographs_are_copied_linked_or_turned_upright(predictions, tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(predictions[1], photos)
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = np.random.default_rng(0).integers(0, 255, (3, 4, 3), np.uint8)
    shown = Image.fromarray(upright).resize((40, 30), Image.Resampling.BICUBIC)
    shown.transpose(Image.Transpose.ROTATE_90).save(photos / "animals" / "cat.jpg", exif=exif, quality=95)
    summary = export(predictions[0], tmp_path / "a", ExportConfig("images", images=photos, photographs="link"))
    assert not summary.errors
    link = tmp_path / "a" / "images" / "animals" / "dog.png"
    assert link.is_symlink()
    assert link.resolve() == (photos / "animals" / "dog.png").resolve()
    with Image.open(tmp_path / "a" / "images" / "animals" / "cat.jpg") as turned:
        assert turned.getexif().get(0x0112, 1) == 1
        assert turned.size == (40, 30)
        assert np.abs(np.asarray(turned, int) - np.asarray(shown, int)).mean() < 4
    Image.new("RGB", (9, 9)).save(photos / "none.jpg")
    (photos / "käfer 1.jpg").unlink()
    summary = export(predictions[0], tmp_path / "b", ExportConfig("images", images=photos))
    assert [name for name, _ in summary.errors] == ["käfer 1.jpg", "none.jpg"]
    assert not list((tmp_path / "b").rglob("none*"))
    assert (tmp_path / "b" / "images" / "animals" / "dog.png").read_bytes() == link.read_bytes()


def test_more_classes_than_labels(tmp_path, shards):
    shutil.copytree(shards[0], tmp_path / "set")
    names = [f"class {n}" for n in range(300)]
    (tmp_path / "set" / "manifest.json").write_text(json.dumps({"set": {"classes": names}}))
    with pytest.raises(ValueError, match="254 classes"):
        export(tmp_path / "set", tmp_path / "voc", ExportConfig("voc"))
    assert export(tmp_path / "set", tmp_path / "cvat", ExportConfig("cvat")).images == 4


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("--format pdf", "--format pdf: choose from coco"),
        ("--format coco --val 0.1", "--val is for voc, yolo"),
        ("--format voc --polygons", "--polygons is for coco"),
        ("--format coco-results --parts", "--parts is for coco"),
        ("--format voc --val 1", "--val must be"),
        ("--format voc --photographs move", "--photographs move: choose from"),
        ("--format voc --photographs link", "a set holds its images inside its shards"),
        ("--format cvat --class a:b", "--class 'a:b'"),
        ("--format voc --images photos", "--images is for predictions"),
    ],
)
def test_wrong_usage_names_the_flag(shards, tmp_path, words, reason):
    done = run(shards[0], "--out", tmp_path / "out", *words.split())
    assert done.exit_code == 2
    assert reason in said(done)
    assert not list(tmp_path.iterdir())


def test_a_configuration_file_names_the_class_as_the_flag_does(shards, tmp_path):
    (tmp_path / "c.toml").write_text('class = "thing"\nformat = "coco"\n')
    done = run(shards[0], "--config", tmp_path / "c.toml", "--out", tmp_path / "out", "--class", "a:b")
    assert "--class 'a:b'" in said(done)
    (tmp_path / "c.toml").write_text('class = "a:c"\nformat = "coco"\n')
    assert "--class 'a:c'" in said(run(shards[0], "--config", tmp_path / "c.toml", "--out", tmp_path / "out"))


def test_a_folder_of_something_else_is_refused(tmp_path):
    done = run(tmp_path, "--format", "coco", "--out", tmp_path.parent / "never")
    assert (done.exit_code, "holds the source" in said(done)) == (2, False)
    assert "no predictions.jsonl, no shards and no data set" in said(done)
