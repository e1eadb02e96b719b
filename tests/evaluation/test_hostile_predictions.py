"""Predictions and annotations from anywhere are evaluated, or refused by the name of their file."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusionseg.evaluation import evaluate_boxes, evaluate_coco
from hostile import changed, few, refused_by_name

PREDICTED = {"image": "a.jpg", "width": 24, "height": 20, "boxes": [[0, 1, 9, 9], [2, 2, 4, 4]], "scores": [0.9, 0.5]}
ANNOTATED = {"image": "a.jpg", "width": 24, "height": 20, "objects": [{"name": "cat", "box": [0, 1, 9, 9]}]}
COCO = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 24, "height": 20}],
    "annotations": [{"id": 5, "image_id": 1, "category_id": 3, "iscrowd": 0, "area": 9, "bbox": [1, 2, 10.5, 9]}],
    "categories": [{"id": 3, "name": "cat"}],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("predictions")


@few
@given(changed([PREDICTED]), changed([ANNOTATED]), st.booleans())
def test_boxes(place, predicted, annotated, both):
    (place / "predictions.jsonl").write_bytes(predicted)
    (place / "boxes.jsonl").write_bytes(annotated if both else json.dumps(ANNOTATED).encode())

    def look():
        evaluate_boxes(place, place / "boxes.jsonl", intervals=True, allow_missing=True, area_share=(0.0, 1.0))

    refused_by_name(look, ValueError, place / "predictions.jsonl", place / "boxes.jsonl")


@few
@given(changed([PREDICTED]), changed([COCO]), st.booleans())
def test_instances(place, predicted, annotated, both):
    pytest.importorskip("pycocotools")
    (place / "predictions.jsonl").write_bytes(predicted)
    (place / "instances.json").write_bytes(annotated if both else json.dumps(COCO).encode())

    def look():
        evaluate_coco(place, place / "instances.json", allow_missing=True)

    refused_by_name(look, ValueError, place / "predictions.jsonl", place / "instances.json")


def test_names_that_are_no_text_have_intervals_too(place):
    for name, record in (("predictions.jsonl", PREDICTED), ("boxes.jsonl", ANNOTATED)):
        (place / name).write_text(json.dumps({**record, "image": "\udce4.jpg"}))
    assert evaluate_boxes(place, place / "boxes.jsonl", intervals=True)["corloc"] == 1
