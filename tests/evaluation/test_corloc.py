"""CorLoc."""

import json

import pytest

from diffusionseg.evaluation import CorLocAccumulator, MissingPredictions, box_iou, evaluate_boxes


def test_box_iou_by_hand():
    assert box_iou((0, 0, 4, 4), (2, 0, 6, 4)) == pytest.approx(8 / 24)
    assert box_iou((0, 0, 2, 2), (2, 0, 4, 2)) == 0
    assert box_iou((0, 0, 4, 4), (0, 0, 4, 4)) == 1
    assert box_iou((0, 0, 0, 4), (0, 0, 0, 4)) == 0


def test_half_is_a_hit_and_any_object_counts():
    accumulator = CorLocAccumulator()
    accumulator.update((0, 0, 2, 1), [(0, 0, 1, 1)])
    accumulator.update((0, 0, 2, 1), [(9, 9, 10, 10), (0, 0, 2, 1)])
    accumulator.update((0, 0, 2.01, 1), [(0, 0, 1, 1)])
    accumulator.update(None, [(0, 0, 1, 1)])
    assert accumulator.result() == {"images": 4, "corloc": 0.5, "protocol": "lost"}
    other = CorLocAccumulator(images=1, hits=1)
    other.merge(accumulator)
    assert other.result()["corloc"] == 0.6


@pytest.fixture
def files(tmp_path):
    predictions = [
        {"image": "sub/a.jpg", "boxes": [[0, 0, 10, 10], [50, 50, 60, 60]]},
        {"image": "sub/b.jpg", "boxes": []},
        {"image": "sub/c.jpg", "error": "damaged"},
    ]
    cat = {"name": "cat", "box": [1, 0, 10, 10]}
    objects = [{"image": f"{n}.jpg", "width": 60, "height": 60, "objects": [cat]} for n in "abc"]
    (tmp_path / "predictions.jsonl").write_text("".join(json.dumps(p) + "\n" for p in predictions))
    (tmp_path / "boxes.jsonl").write_text("".join(json.dumps(o) + "\n" for o in objects))
    return tmp_path


def test_missing_and_failed_images_are_named_or_count_as_misses(files):
    with (files / "boxes.jsonl").open("a") as file:
        file.write('{"image": "d.jpg", "width": 60, "height": 60, "objects": []}\n')
    with pytest.raises(MissingPredictions, match=r"2 of 4 images .*c\.jpg, d\.jpg"):
        evaluate_boxes(files, files / "boxes.jsonl")
    assert evaluate_boxes(files, files / "boxes.jsonl", allow_missing=True) == {
        "schema": 1,
        "images": 4,
        "corloc": 0.25,
        "protocol": "lost",
        "missing": 2,
    }


def test_images_are_chosen_by_the_share_of_their_largest_object(files):
    assert evaluate_boxes(files, files / "boxes.jsonl", allow_missing=True, area_share=(0.02, 0.03))["images"] == 3
    with pytest.raises(ValueError, match="no image has an object of 5% to 60%"):
        evaluate_boxes(files, files / "boxes.jsonl", allow_missing=True, area_share=(0.05, 0.6))


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"image": "x"}',
        '{"image": "x", "objects": []}',
        '{"image": "x", "width": 9, "height": 9, "objects": [{"box": [1, 2]}]}',
        '{"image": "x", "width": 9, "height": 9, "objects": [{"box": [3, 0, 3, 9]}]}',
    ],
)
def test_bad_lines_are_named_by_number(files, line):
    with (files / "boxes.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match=r"boxes\.jsonl:4"):
        evaluate_boxes(files, files / "boxes.jsonl", allow_missing=True)
