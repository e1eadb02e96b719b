"""AP and AR are pycocotools' own."""

import contextlib
import io
import json
import sys

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from diffusionseg.evaluation import MissingPredictions, evaluate_coco


@pytest.fixture
def files(tmp_path):
    """Twenty images with up to four objects of three classes, some crowds, and boxes near and far."""
    rng = np.random.default_rng(0)
    images, annotations, predictions = [], [], []
    for number in range(1, 21):
        images.append({"id": number, "file_name": f"{number:03}.jpg", "width": 200, "height": 150})
        found = []
        for _ in range(rng.integers(0, 5)):
            x, y, w, h = (float(v) for v in (*rng.uniform(0, 80, 2), *rng.uniform(8, 100, 2)))
            crowd = int(rng.random() < 0.1)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": int(rng.integers(1, 4)),
                    "bbox": [x, y, w, h],
                    "area": w * h,
                    "iscrowd": crowd,
                }
            )
            if rng.random() < 0.8:
                dx, dy = rng.normal(0, 4, 2)
                found.append([x + dx, y + dy, x + dx + w, y + dy + h])
        found += [[5.0, 5.0, 30.0, 25.0]] * int(rng.integers(0, 2))
        scores = sorted(rng.random(len(found)), reverse=True)
        predictions.append({"image": f"photos/{number:03}.jpg", "boxes": found, "scores": scores})
    categories = [{"id": n, "name": str(n)} for n in (1, 2, 3)]
    truth = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "instances.json").write_text(json.dumps(truth))
    (tmp_path / "predictions.jsonl").write_text("".join(json.dumps(p) + "\n" for p in predictions))
    return tmp_path


def test_equal_to_pycocotools_on_files_of_its_own(files, capsys):
    results = [
        {
            "image_id": int(p["image"][7:10]),
            "category_id": 1,
            "bbox": [b[0], b[1], b[2] - b[0], b[3] - b[1]],
            "score": s,
        }
        for p in map(json.loads, (files / "predictions.jsonl").read_text().splitlines())
        for b, s in zip(p["boxes"], p["scores"], strict=True)
    ]
    (files / "results.json").write_text(json.dumps(results))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(files / "instances.json"))
        evaluation = COCOeval(truth, truth.loadRes(str(files / "results.json")), "bbox")
        evaluation.params.useCats = 0
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    values = evaluate_coco(files, files / "instances.json")
    found = [values[name] for name in ("ap", "ap50", "ap75", "ar1", "ar10", "ar100")]
    assert found == [evaluation.stats[place] for place in (0, 1, 2, 6, 7, 8)]
    assert 0.1 < values["ap75"] < values["ap50"] < 1
    assert (values["images"], values["protocol"]) == (20, "coco, one class")
    assert capsys.readouterr().out == ""


def test_nothing_found_is_zero_and_nothing_to_find_is_none(files):
    lines = [json.loads(line) for line in (files / "predictions.jsonl").read_text().splitlines()]
    empty = [{"image": line["image"], "boxes": []} for line in lines]
    (files / "predictions.jsonl").write_text("".join(json.dumps(p) + "\n" for p in empty))
    assert evaluate_coco(files, files / "instances.json")["ap50"] == 0
    truth = json.loads((files / "instances.json").read_text())
    (files / "instances.json").write_text(json.dumps({**truth, "annotations": []}))
    assert evaluate_coco(files, files / "instances.json")["ap50"] is None


def test_missing_images_stop_the_evaluation_unless_allowed(files):
    lines = (files / "predictions.jsonl").read_text().splitlines(keepends=True)
    (files / "predictions.jsonl").write_text("".join(lines[1:]))
    with pytest.raises(MissingPredictions, match=r"1 of 20 images .*001\.jpg"):
        evaluate_coco(files, files / "instances.json")
    assert evaluate_coco(files, files / "instances.json", allow_missing=True)["missing"] == 1


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"images": [], "annotations": []}', '{"images": [{"id": 1}], "annotations": []}']
)
def test_other_files_are_refused_by_name(files, text):
    (files / "instances.json").write_text(text)
    with pytest.raises(ValueError, match=r"instances\.json"):
        evaluate_coco(files, files / "instances.json")


def test_scores_must_belong_to_the_boxes(files):
    with (files / "predictions.jsonl").open("a") as file:
        file.write('{"image": "x.jpg", "boxes": [[0, 0, 2, 2]], "scores": []}\n')
    with pytest.raises(ValueError, match=r"predictions\.jsonl:21: needs `scores`, 1 numbers"):
        evaluate_coco(files, files / "instances.json")


def test_absent_pycocotools_is_an_error_that_says_what_to_install(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    with pytest.raises(ValueError, match=r"pip install 'diffusionseg\[coco\]'"):
        evaluate_coco(files, files / "instances.json")
