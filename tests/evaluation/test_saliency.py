"""Acc, IoU and maxFβ against a slow transcription of their definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from diffusionseg.evaluation import SaliencyAccumulator, evaluate_saliency


def slow(predictions, masks):
    """The definition step by step: 255 thresholds, mean F over images, then the maximum."""
    curves, accuracies, ious = [], [], []
    for prediction, mask in zip(predictions, masks, strict=True):
        binary = prediction > 0.5
        accuracies.append((binary == mask).mean())
        union = (binary | mask).sum()
        ious.append((binary & mask).sum() / union if union else 1.0)
        curve = []
        for threshold in np.arange(0.0, 1.0, 1.0 / 255):
            positive = prediction > threshold
            hits = (positive & mask).sum()
            precision = hits / positive.sum() if positive.any() else 1.0
            recall = hits / mask.sum() if mask.any() else 1.0
            below = 0.3 * precision + recall
            curve.append(1.3 * precision * recall / below if below else 0.0)
        curves.append(curve)
    return np.mean(accuracies), np.mean(ious), np.mean(curves, axis=0).max()


def image_pair(rng, kind):
    mask = rng.random((9, 7)) < 0.4
    prediction = rng.integers(0, 256, (9, 7)) / 255 if kind % 2 else rng.random((9, 7))
    if kind == 2:
        prediction = np.zeros((9, 7))
    if kind == 3:
        prediction = np.ones((9, 7))
    if kind == 4:
        mask = np.zeros((9, 7), bool)
        mask[3, 3] = True
    if kind == 5:
        mask = np.ones((9, 7), bool)
    return prediction, mask


@settings(max_examples=40, deadline=None)
@given(kinds=st.lists(st.integers(0, 7), min_size=1, max_size=6), seed=st.integers(0, 1000), cut=st.integers(0, 6))
def test_equal_to_the_definition_also_in_parts(kinds, seed, cut):
    rng = np.random.default_rng(seed)
    pairs = [image_pair(rng, kind) for kind in kinds]
    first, second = SaliencyAccumulator(), SaliencyAccumulator()
    for number, (prediction, mask) in enumerate(pairs):
        (first if number < cut else second).update(prediction, mask)
    first.merge(second)
    result = first.result()
    expected = slow(*zip(*pairs, strict=True))
    assert result["images"] == len(pairs)
    assert (result["acc"], result["iou"], result["max_f"]) == pytest.approx(expected, abs=1e-12)


def test_by_hand():
    accumulator = SaliencyAccumulator()
    accumulator.update(np.array([[0.9, 0.6, 0.2, 0.0]]), np.array([[True, False, True, False]]))
    result = accumulator.result()
    assert result["acc"] == 0.5
    assert result["iou"] == pytest.approx(1 / 3)
    # Best from 0.6 up to 0.9: precision 1, recall 1/2.
    assert result["max_f"] == pytest.approx(1.3 * 0.5 / (0.3 + 0.5))


@pytest.mark.parametrize("bad", [np.full((2, 2), np.nan), np.full((2, 2), 1.5), np.zeros((3, 2))])
def test_wrong_predictions_are_refused(bad):
    with pytest.raises(ValueError, match="prediction"):
        SaliencyAccumulator().update(bad, np.zeros((2, 2), bool))


@pytest.fixture
def folders(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "masks" / "sub").mkdir(parents=True)
    (tmp_path / "pred" / "sub").mkdir(parents=True)
    for name in ("a", "b", "sub/c"):
        mask = rng.random((20, 30)) < 0.3
        Image.fromarray(mask).save(tmp_path / "masks" / f"{name}.png")
        Image.fromarray((mask * 200).astype(np.uint8)).save(tmp_path / "pred" / f"{name}.saliency.png")
        Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "pred" / f"{name}.mask.png")
    return tmp_path


def test_soft_saliency_is_preferred_and_sub_folders_are_followed(folders):
    result = evaluate_saliency(folders / "pred", folders / "masks")
    assert result == {
        "schema": 1,
        "images": 3,
        "acc": 1.0,
        "iou": 1.0,
        "max_f": 1.0,
        "protocol": "tokencut",
        "missing": 0,
        "resized": 0,
    }


def test_root_of_a_benchmark_is_recognised(folders):
    (folders / "masks").rename(folders / "ground_truth_mask")
    (folders / "pred").rename(folders.with_name("pred"))
    assert evaluate_saliency(folders.with_name("pred"), folders)["images"] == 3


def test_missing_predictions_stop_the_evaluation_unless_allowed(folders):
    for path in (folders / "pred").glob("b.*"):
        path.unlink()
    with pytest.raises(ValueError, match=r"1 of 3 images have no prediction \(b\)"):
        evaluate_saliency(folders / "pred", folders / "masks")
    result = evaluate_saliency(folders / "pred", folders / "masks", allow_missing=True)
    assert result["missing"] == 1
    assert result["iou"] == pytest.approx(2 / 3)


def test_unreadable_files_are_named(folders):
    (folders / "pred" / "a.saliency.png").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"a\.saliency\.png"):
        evaluate_saliency(folders / "pred", folders / "masks")
