"""`eval`: protocols beside their numbers, intervals, the paired test, COCO, and wrong usage by name."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from diffusionseg.cli.app import application


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Four masks, two folders of predictions, boxes and COCO instances, as the current folder."""
    rng = np.random.default_rng(0)
    for name in ("masks", "one", "other"):
        (tmp_path / name).mkdir()
    mask = np.zeros((30, 40), np.uint8)
    mask[5:20, 10:30] = 255
    for number in range(4):
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number}.png")
        for name, noise in (("one", 50), ("other", 150)):
            levels = np.clip(mask + rng.normal(0, noise, mask.shape), 0, 255).astype(np.uint8)
            Image.fromarray(levels).save(tmp_path / name / f"{number}.saliency.png")
    image = {"id": 1, "file_name": "a.jpg", "width": 40, "height": 30}
    truth = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10]}
    (tmp_path / "instances.json").write_text(json.dumps({"images": [image], "annotations": [truth]}))
    (tmp_path / "one" / "predictions.jsonl").write_text('{"image": "a.jpg", "boxes": [[0, 0, 10, 9]]}\n')
    (tmp_path / "boxes.jsonl").write_text(
        '{"image": "a.jpg", "width": 40, "height": 30, "objects": [{"name": "cat", "box": [0, 0, 10, 10]}]}\n'
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command):
    return CliRunner().invoke(application(), ["eval", *command.split()])


def test_every_number_stands_beside_its_protocol(folder):
    done = run("--pred one --masks masks --protocol tokencut --protocol found --measures s,mae --intervals")
    assert done.exit_code == 0, done.output
    lines = [line for line in done.stdout.splitlines() if "acc" in line or "s_measure" in line]
    assert [line.rsplit("  ", 1)[1] for line in lines] == ["(tokencut)", "(found-single)", "(found-multi)", "(pysod)"]
    assert all("[0." in line for line in lines)


def test_json_of_all_at_once_is_the_same_from_two_processes(folder):
    command = "--pred one --masks masks --protocol all --measures all --against other --json"
    one, two = run(command), run(f"{command} --jobs 2")
    assert one.exit_code == two.exit_code == 0, one.output + two.output
    values = json.loads(one.stdout)
    assert values == json.loads(two.stdout)
    assert values["schema"] == 1
    assert len(values["protocols"]) == 7
    assert "intervals" not in values
    assert values["against"]["predictions"] == "other"
    assert values["against"]["tokencut"]["iou"]["difference"] > 0


def test_the_paired_test_is_told_in_words(folder):
    done = run("--pred one --masks masks --against other")
    assert "against other:" in done.stdout
    assert "difference +" in done.stdout
    assert ", p 0." in done.stdout


def test_coco_and_corloc(folder):
    values = json.loads(run("--pred one --coco instances.json --json").stdout)
    assert [values[name] for name in ("ap50", "ap75", "ar100")] == pytest.approx([1, 1, 0.9])
    assert "corloc 1.0000  (lost)" in run("--pred one --boxes boxes.jsonl").stdout
    assert "corloc 1.0000 [1.0000, 1.0000]" in run("--pred one --boxes boxes.jsonl --intervals").stdout


def test_a_report_is_written_once_and_tells_what_is_printed(folder):
    done = run("--pred one --masks masks --report report --json")
    assert done.exit_code == 0, done.output
    assert json.loads((folder / "report" / "results.json").read_text()) == json.loads(done.stdout)
    assert "report.html" in done.stderr
    done = run("--pred one --boxes boxes.jsonl --report report")
    assert done.exit_code == 0, done.output
    assert "CorLoc" in (folder / "report" / "table.md").read_text()
    done = run("--pred one --masks masks --report other")
    assert done.exit_code == 2
    assert "no report of eval" in " ".join(done.output.split())
    assert run("--pred one --masks masks --report other --overwrite").exit_code == 0
    assert (folder / "other" / "0.saliency.png").exists()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("--pred one", "--masks, --boxes and --coco"),
        ("--pred one --masks masks --boxes boxes.jsonl", "--masks, --boxes and --coco"),
        ("--pred one --masks masks --protocol lost", "--protocol lost: choose from tokencut"),
        ("--pred one --masks masks --measures psnr", "--measures psnr: choose from mae"),
        ("--pred one --masks masks --undecided maybe", "--undecided maybe"),
        ("--pred one --masks masks --jobs 0", "--jobs"),
        ("--pred one --masks masks --jobs 2 --engine processes:2", "--jobs N is short for --engine processes:N"),
        ("--pred one --masks masks --engine slurm", "--engine must be local, processes:N or ray[:ADDRESS]"),
        ("--pred one --boxes boxes.jsonl --protocol move", "--protocol does not go with --boxes"),
        ("--pred one --coco instances.json --intervals", "--intervals does not go with --coco"),
        ("--pred one --coco instances.json --report report", "--report does not go with --coco"),
        ("--pred one --masks masks --images masks", "--images is for --report"),
        ("--pred one --masks masks --report report --images nowhere", "nowhere: no such folder"),
        ("--pred one --masks masks --against nowhere", "nowhere: no such folder"),
        ("--pred one --coco boxes.jsonl", "boxes.jsonl"),
    ],
)
def test_wrong_usage_names_the_flag(folder, command, said):
    done = run(command)
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
