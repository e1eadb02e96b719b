"""`datasets check` says what a folder is, for people and machines, and its exit status tells whether it can be used."""

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def ecssd(tmp_path):
    """Three pairs in ECSSD's layout, unpacked into a folder of its own; returns the folder of masks."""
    for folder in ("images", "ground_truth_mask"):
        (tmp_path / "ecssd" / "ECSSD" / folder).mkdir(parents=True)
    for number, name in enumerate(("0001", "0002", "0003")):
        Image.new("RGB", (40 + number, 30)).save(tmp_path / "ecssd" / "ECSSD" / "images" / f"{name}.jpg")
        mask = np.resize(np.array([0, 255], np.uint8), (30, 40 + number))
        Image.fromarray(mask).save(tmp_path / "ecssd" / "ECSSD" / "ground_truth_mask" / f"{name}.png")
    return tmp_path / "ecssd" / "ECSSD" / "ground_truth_mask"


def test_a_good_set_is_described_and_exits_with_0(cli, ecssd, tmp_path):
    done = cli("datasets check ecssd", tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert rows[0] == ["recognised", "ECSSD (images/ + ground_truth_mask/) in ecssd/ECSSD"]
    assert rows[1:] == [
        ["pairs", "3"],
        ["masks", "3 × 0/255"],
        ["sizes", "40x30 to 42x30"],
        ["note", "ECSSD as published has 1000 pairs"],
        ["faults", "none"],
    ]


def test_every_fault_is_listed_and_the_status_is_1_until_it_is_decided(cli, ecssd, tmp_path):
    for name in ("0001", "0002"):
        Image.fromarray(np.resize(np.array([0, 90, 255], np.uint8), (30, 40))).save(ecssd / f"{name}.png")
    done = cli("datasets check ecssd --json", tmp_path)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["codings"] == {"3 grey levels": 2, "0/255": 1}
    assert [f["file"][-8:] for f in report["faults"]] == ["0001.png", "0002.png", "0002.png"]
    assert "decide with --undecided protocol or object or half or background" in report["faults"][0]["reason"]
    done = cli("datasets check ecssd --undecided half", tmp_path)
    assert done.returncode == 1
    assert "faults      1\n" in done.stdout
    assert "0002.png: is 40x30, its photograph 41x30" in done.stdout
    (ecssd / "0002.png").unlink()
    (ecssd.parent / "images" / "0002.jpg").unlink()
    assert cli("datasets check ecssd --undecided half", tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("empty", "empty: no known layout; it needs one of"),
        ("nowhere", "nowhere: no such folder"),
        ("ecssd --undecided perhaps", "--undecided perhaps: choose from protocol, object, half, background"),
        ("ecssd --split test", "--split test: this data set has no lists of parts"),
    ],
)
def test_what_cannot_be_recognised_exits_with_2(arguments, reason, cli, ecssd, tmp_path):
    (tmp_path / "empty").mkdir()
    done = cli(f"datasets check {arguments}", tmp_path)
    assert done.returncode == 2
    assert reason in " ".join(done.stderr.split())


def test_eval_takes_the_roots_of_data_sets(cli, ecssd, tmp_path):
    voc = tmp_path / "VOCdevkit" / "VOC2007"
    for folder in ("JPEGImages", "Annotations"):
        (voc / folder).mkdir(parents=True)
    (tmp_path / "predictions").mkdir()
    with (tmp_path / "predictions" / "predictions.jsonl").open("w") as lines:
        for number, name in enumerate(("0001", "0002", "0003")):
            Image.new("RGB", (40 + number, 30)).save(voc / "JPEGImages" / f"{name}.jpg")
            sides = "<xmin>1</xmin><ymin>1</ymin><xmax>20</xmax><ymax>30</ymax>"
            xml = f"<annotation><object><name>dog</name><bndbox>{sides}</bndbox></object></annotation>"
            (voc / "Annotations" / f"{name}.xml").write_text(xml)
            box = [0, 0, 20 - 6 * number, 30]
            lines.write(json.dumps({"image": f"JPEGImages/{name}.jpg", "boxes": [box]}) + "\n")
            with Image.open(ecssd / f"{name}.png") as mask:
                mask.save(tmp_path / "predictions" / f"{name}.mask.png")
    done = cli("eval --pred predictions --boxes VOCdevkit --json", tmp_path)
    assert done.returncode == 0, done.stderr
    # The third box covers 8 of 20 columns.
    assert json.loads(done.stdout)["corloc"] == pytest.approx(2 / 3)
    (voc / "ImageSets" / "Main").mkdir(parents=True)
    (voc / "ImageSets" / "Main" / "hard.txt").write_text("0002\n0003\n")
    done = cli("eval --pred predictions --boxes VOCdevkit --split hard --report page --json", tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["corloc"] == pytest.approx(1 / 2)
    assert "on 2 images" in (tmp_path / "page" / "report.html").read_text()
    for truth, said in (
        ("boxes VOCdevkit", "easy.txt: no such list; --split takes one of hard"),
        ("masks ecssd", "easy"),
    ):
        done = cli(f"eval --pred predictions --{truth} --split easy", tmp_path)
        assert done.returncode == 2
        assert said in " ".join(done.stderr.split())
    done = cli("eval --pred predictions --masks ecssd --json", tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["iou"] == 1.0
    coded = Image.fromarray(np.resize(np.array([0, 1], np.uint8), (30, 40)))
    coded.save(tmp_path / "predictions" / "0001.mask.png")
    done = cli("eval --pred predictions --masks ecssd", tmp_path)
    assert done.returncode == 2
    assert "0001.mask.png: has no level above 1 of 255: a mask coded 0/1" in " ".join(done.stderr.split())
