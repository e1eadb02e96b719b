"""Folders under several protocols, with measures, intervals, a paired test and several processes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffusionseg.data import ImageError
from diffusionseg.engine import Engine
from diffusionseg.evaluation import (
    PROTOCOLS,
    MeasureAccumulator,
    SaliencyAccumulator,
    evaluate_boxes,
    evaluate_saliency,
)

IMAGES = 12


@pytest.fixture
def folders(tmp_path):
    """Masks, good and poor predictions; one prediction of another size, one mask with grey levels."""
    rng = np.random.default_rng(5)
    for name in ("masks", "good", "poor"):
        (tmp_path / name / "sub").mkdir(parents=True)
    y, x = np.mgrid[:30, :40]
    for number in range(IMAGES):
        stem = f"sub/{number}" if number % 3 == 0 else str(number)
        cy, cx = 8 + rng.random(2) * 15
        truth = np.clip(400 - 4 * ((y - cy) ** 2 + (x - cx) ** 2), 0, 255) if number == 5 else None
        mask = (truth if truth is not None else 255 * (np.hypot(y - cy, x - cx) < 9)).astype(np.uint8)
        Image.fromarray(mask).save(tmp_path / "masks" / f"{stem}.png")
        for name, noise in (("good", 60), ("poor", 140)):
            levels = np.clip(mask + rng.normal(0, noise, mask.shape), 0, 255).astype(np.uint8)
            picture = Image.fromarray(levels)
            if number == 7:
                picture = picture.resize((20, 15))
            picture.save(tmp_path / name / f"{stem}.saliency.png")
    return tmp_path


def everything(folders, **options):
    records = []
    values = evaluate_saliency(
        folders / "good",
        folders / "masks",
        protocols=["all"],
        measures=["all"],
        intervals=True,
        against=folders / "poor",
        record=records.append,
        undecided="protocol",
        curves=True,
        **options,
    )
    return values, records


def test_the_result_does_not_depend_on_the_number_of_processes(folders):
    reports = []
    values, records = everything(folders)
    assert everything(folders, engine=Engine("processes", 3), report=lambda *two: reports.append(two)) == (
        values,
        records,
    )
    assert reports[-1] == (2 * IMAGES, 2 * IMAGES)
    json.dumps(values, allow_nan=False)


@pytest.mark.slow
# Ray itself leaves files and sockets to the garbage collector.
@pytest.mark.filterwarnings("default::ResourceWarning", "default::pytest.PytestUnraisableExceptionWarning")
def test_nor_on_ray(folders, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.chdir(folders)
    assert everything(Path(), engine=Engine("ray", 2)) == everything(Path())


def test_all_protocols_are_told_with_their_definitions(folders):
    values, _ = everything(folders)
    assert list(values["protocols"]) == list(PROTOCOLS)
    assert values["max_f"] == values["protocols"]["tokencut"]["max_f"]
    assert values["protocols"]["selfmask"]["definition"]["beta_squared"] == pytest.approx(0.09)
    assert values["resized"] == 1
    # Grey ground truth is cut at other levels.
    assert values["protocols"]["found-multi"]["iou"] < values["protocols"]["tokencut"]["iou"]
    for numbers in (values, *values["protocols"].values(), values["measures"]):
        for name, ends in numbers["intervals"].items():
            if name in numbers:
                assert ends[0] <= numbers[name] <= ends[1]
    better = values["against"]["tokencut"]["iou"]
    assert better["difference"] == pytest.approx(values["iou"] - better["value"])
    assert better["interval"][0] > 0
    assert better["p"] < 0.01
    assert values["against"]["measures"]["mae"]["difference"] < 0


def test_one_protocol_keeps_the_plain_keys(folders):
    masks = folders / "masks"
    values = evaluate_saliency(folders / "good", masks, undecided="protocol")
    assert list(values) == ["schema", "images", "acc", "iou", "max_f", "protocol", "missing", "resized"]
    single = evaluate_saliency(folders / "good", masks, protocol="move", undecided="protocol")
    assert single == evaluate_saliency(folders / "good", masks, protocols=["move"], undecided="protocol")
    assert single["protocol"] == "move"


def test_numbers_are_those_of_the_accumulators(folders):
    whole, further = SaliencyAccumulator("move"), MeasureAccumulator(["s", "pr"])
    for path in sorted((folders / "masks").rglob("*.png")):
        name = path.relative_to(folders / "masks").with_suffix("").as_posix()
        truth, levels = np.asarray(Image.open(path)), Image.open(folders / "good" / f"{name}.saliency.png")
        # MOVE resizes 8-bit levels; the pixels of other protocols are resized as floats.
        whole.update(np.asarray(levels.resize(truth.shape[::-1], Image.Resampling.BILINEAR)), truth)
        floats = np.asarray(levels, dtype=np.float32) / 255
        soft = np.asarray(Image.fromarray(floats).resize(truth.shape[::-1], Image.Resampling.BILINEAR))
        further.update(soft.astype(np.float64) if levels.size != truth.shape[::-1] else np.asarray(levels), truth)
    values = evaluate_saliency(
        folders / "good", folders / "masks", protocols=["move"], measures=["s", "pr"], undecided="protocol"
    )
    assert {key: values[key] for key in whole.result()} == whole.result()
    assert {key: values["measures"][key] for key in further.result()} == further.result()
    assert len(values["measures"]["precision"]) == 256


def test_records_tell_every_image(folders):
    values, records = everything(folders)
    assert [record.stem for record in records] == sorted(record.stem for record in records)
    assert np.mean([record.iou for record in records]) == pytest.approx(values["iou"], abs=1e-9)
    assert np.mean([record.acc for record in records]) == pytest.approx(values["acc"], abs=1e-9)
    assert np.mean([record.pooled_f for record in records]) == pytest.approx(values["max_f"], abs=1e-9)
    assert all(record.max_f >= record.pooled_f for record in records)
    for record in records:
        mask = np.asarray(Image.open(folders / "masks" / f"{record.stem}.png")) > 0
        assert record.share == pytest.approx(mask.mean())
        assert record.touches_border == bool(np.count_nonzero(mask) > np.count_nonzero(mask[1:-1, 1:-1]))


@pytest.mark.parametrize("protocol", ["tokencut", "pysod", "selfmask", "unioncut"])
def test_curves_are_those_of_the_measures(folders, protocol):
    values = evaluate_saliency(
        folders / "good", folders / "masks", protocol=protocol, measures=["pr"], undecided="protocol", curves=True
    )
    curves, best = values["curves"], max(values["curves"]["f"])
    assert curves["protocol"] == protocol
    assert len({len(curve) for name, curve in curves.items() if name != "protocol"}) == 1
    assert (best < values["max_f"]) if protocol == "selfmask" else best == pytest.approx(values["max_f"], abs=1e-9)
    if protocol == "pysod":
        assert curves["precision"] == values["measures"]["precision"]
        assert curves["recall"] == values["measures"]["recall"]
    if protocol == "unioncut":
        assert curves["thresholds"] == [0.5]


def test_undecided_pixels_are_the_users_choice(folders):
    chosen = {
        choice: evaluate_saliency(folders / "good", folders / "masks", undecided=choice)["iou"]
        for choice in ("protocol", "object", "half", "background")
    }
    # TokenCut's protocol takes grey above 0 as object.
    assert chosen["protocol"] == chosen["object"] != chosen["half"] != chosen["background"]


def test_grey_ground_truth_is_never_scored_without_a_choice(folders):
    with pytest.raises(ImageError, match=r"5\.png: .* grey levels; decide with --undecided protocol or object"):
        evaluate_saliency(folders / "good", folders / "masks")


def test_boxes_have_intervals_and_a_paired_test(tmp_path):
    cat = {"name": "cat", "box": [0, 0, 10, 10]}
    with (tmp_path / "boxes.jsonl").open("w") as file:
        for number in range(40):
            file.write(json.dumps({"image": f"{number}.jpg", "width": 60, "height": 60, "objects": [cat]}) + "\n")
    for name, hits in (("one", 30), ("other", 10)):
        (tmp_path / name).mkdir()
        with (tmp_path / name / "predictions.jsonl").open("w") as file:
            for number in range(40):
                box = [0, 0, 10, 10] if number < hits else [30, 30, 40, 40]
                file.write(json.dumps({"image": f"{number}.jpg", "boxes": [box]}) + "\n")
    records = []
    values = evaluate_boxes(
        tmp_path / "one",
        tmp_path / "boxes.jsonl",
        intervals=True,
        against=tmp_path / "other",
        record=records.append,
    )
    assert values["corloc"] == 0.75
    assert [(r.hit, r.iou) for r in records] == [(True, 1.0)] * 30 + [(False, 0.0)] * 10
    assert {(r.share, r.touches_border) for r in records} == {(100 / 3600, True)}
    assert 0.55 < values["intervals"]["corloc"][0] < 0.75 < values["intervals"]["corloc"][1] < 0.9
    assert values["against"]["lost"]["corloc"]["difference"] == pytest.approx(0.5)
    assert values["against"]["lost"]["corloc"]["p"] < 0.01


def test_predictions_that_lie_deeper_are_pointed_at(folders):
    # As those of `predict --list` with absolute paths do.
    (folders / "deep" / "home").mkdir(parents=True)
    (folders / "good").rename(folders / "deep" / "home" / "good")
    (folders / "deep" / "a").mkdir()
    for name in ("0.overlay.png", "01.saliency.png", "11.saliency.png"):
        (folders / "deep" / "a" / name).touch()
    with pytest.raises(ValueError, match=r"12 of 12 images .*they seem to lie deeper, in .*/deep/home/good$"):
        evaluate_saliency(folders / "deep", folders / "masks")
    (folders / "deep" / "home" / "good").rename(folders / "elsewhere")
    with pytest.raises(ValueError, match=r"--allow-missing$"):
        evaluate_saliency(folders / "deep", folders / "masks")
    (folders / "elsewhere").rename(folders / "deep" / "home" / "good")
    found = evaluate_saliency(folders / "deep" / "home" / "good", folders / "masks", undecided="protocol")
    assert found["images"] == IMAGES
