"""Every named protocol against a small transcription of its code's definition, step by step."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from diffusionseg.evaluation import PROTOCOLS, SaliencyAccumulator
from diffusionseg.evaluation.protocols import protocols_named


def overlap(mask, truth):
    return (mask & truth).sum(), (mask | truth).sum()


def tokencut(pairs, thresholds=255, level=0.5, both_empty=1.0):
    """Mean F curve, then its maximum; precision of nothing and recall of nothing are 1."""
    acc, iou, curves = [], [], []
    for levels, truth in pairs:
        saliency, truth = levels / 255, truth > level
        both, either = overlap(saliency > 0.5, truth)
        acc.append(((saliency > 0.5) == truth).mean())
        iou.append(both / either if either else both_empty)
        curve = []
        for threshold in np.arange(0.0, 1.0, 1.0 / thresholds):
            mask = saliency > threshold
            p = (mask & truth).sum() / mask.sum() if mask.any() else 1.0
            r = (mask & truth).sum() / truth.sum() if truth.any() else 1.0
            curve.append(1.3 * p * r / (0.3 * p + r) if p + r else 0.0)
        curves.append(curve)
    return np.mean(acc), np.mean(iou), np.mean(curves, axis=0).max()


def move(pairs):
    return tokencut(pairs, thresholds=256, level=127.5, both_empty=0.0)


def selfmask(pairs, level=0):
    """The best F of every image, then their mean; β² is 0.3 squared, 1e-7 keeps denominators from 0."""
    acc, iou, best = [], [], []
    for saliency, truth in pairs:
        truth = truth > level
        # 32-bit saliency and thresholds: level v lies above threshold k/255 just where v > k.
        saliency = saliency / 255 if saliency.dtype == np.uint8 else saliency
        mask = saliency > 0.5
        both, either = overlap(mask, truth)
        acc.append((mask == truth).mean())
        iou.append(both / (either + 1e-7))
        f = []
        for threshold in np.arange(0.0, 1.0, 1.0 / 255):
            mask = saliency.astype(np.float32) > np.float32(threshold)
            p = (mask & truth).sum() / (mask.sum() + 1e-7)
            r = (mask & truth).sum() / (truth.sum() + 1e-7)
            f.append((1 + 0.3**2) * p * r / (0.3**2 * p + r + 1e-7))
        best.append(max(f))
    return np.mean(acc), np.mean(iou), np.mean(best)


def found_multi(pairs):
    return selfmask(pairs, level=254)


def found_single(pairs):
    kept = []
    for levels, truth in pairs:
        label, _ = ndimage.label(levels / 255 > 0.5)
        sizes = [(label == number).sum() for number in range(label.max() + 1)]
        largest = max(range(1, len(sizes)), key=lambda n: (sizes[n], n), default=None)
        kept.append(((label == largest).astype(float) if largest else np.zeros(label.shape), truth))
    return selfmask(kept, level=254)


def unioncut(pairs):
    acc, iou, f = [], [], []
    for levels, truth in pairs:
        mask, truth = levels / 255 > 0.5, truth > 0
        both, either = overlap(mask, truth)
        with np.errstate(invalid="ignore"):
            p, r = both / mask.sum(), both / truth.sum()
            one = (1 + 0.3**2) * p * r / (0.3**2 * p + r)
        f.append(0.0 if math.isnan(one) else one)
        acc.append((mask == truth).mean())
        iou.append(both / either if either else 1.0)
    return np.mean(acc), np.mean(iou), np.mean(f)


def pysod(pairs):
    acc, iou, curves = [], [], []
    for levels, truth in pairs:
        saliency, truth = levels / 255, truth > 128
        if saliency.max() != saliency.min():
            saliency = (saliency - saliency.min()) / (saliency.max() - saliency.min())
        both, either = overlap(saliency > 0.5, truth)
        acc.append(((saliency > 0.5) == truth).mean())
        iou.append(both / either if either else 0.0)
        curve = []
        for threshold in range(256):
            mask = (saliency * 255).astype(np.uint8) >= threshold
            hits = (mask & truth).sum()
            p, r = hits / max(mask.sum(), 1), hits / max(truth.sum(), 1)
            curve.append(1.3 * p * r / (0.3 * p + r) if hits else 0.0)
        curves.append(curve)
    return np.mean(acc), np.mean(iou), np.mean(curves, axis=0).max()


TRANSCRIBED = {
    "tokencut": tokencut,
    "move": move,
    "selfmask": selfmask,
    "found-single": found_single,
    "found-multi": found_multi,
    "unioncut": unioncut,
    "pysod": pysod,
}


def levels_of(kind, rng, shape):
    """uint8 levels: grey, two-valued, empty, full, one pixel, one grey."""
    grey = rng.integers(0, 256, shape).astype(np.uint8)
    if kind == "one pixel":
        grey[:] = 0
        grey[tuple(rng.integers(0, shape))] = 255
    return {
        "mask": np.where(grey > 128, 255, 0).astype(np.uint8),
        "empty": np.zeros_like(grey),
        "full": np.full_like(grey, 255),
        "constant": np.full_like(grey, grey[0, 0]),
    }.get(kind, grey)


KINDS = st.sampled_from(["grey", "mask", "mask", "empty", "full", "one pixel", "constant"])


@pytest.mark.parametrize("name", PROTOCOLS)
@settings(max_examples=20, deadline=None)
@given(kinds=st.lists(st.tuples(KINDS, KINDS), min_size=1, max_size=4), seed=st.integers(0, 1000))
def test_protocol_is_its_definition(name, kinds, seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers(2, 8, 2)
    pairs = [tuple(levels_of(kind, rng, shape) for kind in both) for both in kinds]
    accumulator = SaliencyAccumulator(name)
    for prediction, truth in pairs:
        accumulator.update(prediction, truth)
    result = accumulator.result()
    assert (result["acc"], result["iou"], result["max_f"]) == pytest.approx(TRANSCRIBED[name](pairs), abs=1e-9)
    assert result["protocol"] == name


def test_all_are_transcribed():
    assert TRANSCRIBED.keys() == PROTOCOLS.keys()


@pytest.mark.parametrize("name", PROTOCOLS)
def test_floats_and_levels_say_the_same(name):
    rng = np.random.default_rng(1)
    levels, truth = rng.integers(0, 256, (40, 30)).astype(np.uint8), rng.random((40, 30)) < 0.4
    one, other = SaliencyAccumulator(name), SaliencyAccumulator(name)
    one.update(levels, truth)
    other.update(levels / 255, truth)
    assert one.result() == other.result()


def test_groups_stand_for_their_protocols():
    assert [p.name for p in protocols_named(["found", "tokencut", "found-multi"])] == [
        "found-single",
        "found-multi",
        "tokencut",
    ]
    assert {p.name for p in protocols_named(["all"])} == set(PROTOCOLS)
    with pytest.raises(ValueError, match="--protocol lost: choose from tokencut, move"):
        protocols_named(["tokencut", "lost"])


def test_the_example_of_the_documentation():
    """Two images whose best thresholds differ: three protocols, three maxF (docs/evaluation.md)."""
    truth = np.array([[255, 255, 0, 0]], np.uint8)
    bold, shy = np.array([[240, 240, 200, 0]], np.uint8), np.array([[120, 60, 40, 40]], np.uint8)
    found = {}
    for name in ("tokencut", "found-multi", "unioncut"):
        accumulator = SaliencyAccumulator(name)
        accumulator.update(bold, truth)
        accumulator.update(shy, truth)
        found[name] = round(accumulator.result()["max_f"], 4)
    assert found == {"tokencut": 0.8611, "found-multi": 1.0, "unioncut": 0.3428}
