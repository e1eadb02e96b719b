"""Further measures: against frozen values of PySODMetrics, by hand, and merged."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from diffusionseg.evaluation import MeasureAccumulator, SaliencyAccumulator
from diffusionseg.evaluation.boundary import boundary_f, outline
from diffusionseg.evaluation.measures import measure_families

ROOT = Path(__file__).parents[2]
AGREEMENT = runpy.run_path(str(ROOT / "benchmarks" / "pysodmetrics_agreement.py"))
FROZEN = json.loads((Path(__file__).parent / "pysodmetrics.json").read_text())


def test_values_of_pysodmetrics():
    """As benchmarks/pysodmetrics_agreement.py --freeze found them, empty, full and one-pixel masks included."""
    worst = {}
    for number, theirs in enumerate(FROZEN["pairs"]):
        ours = AGREEMENT["ours"](*AGREEMENT["random_pair"](number))
        for name, value in theirs.items():
            worst[name] = max(worst.get(name, 0.0), abs(ours[name] - value))
    assert len(FROZEN["pairs"]) == 200
    assert len(worst) == 11
    assert max(worst.values()) < 1e-6, worst


def test_frozen_pairs_are_extreme_enough():
    pairs = [AGREEMENT["random_pair"](number) for number in range(200)]
    for which in (0, 1):
        assert {0, 1} <= {int(np.count_nonzero(pair[which])) for pair in pairs}
        assert any((pair[which] == 255).all() for pair in pairs)


def test_parts_merge_exactly_in_any_order():
    rng = np.random.default_rng(0)
    pairs = [AGREEMENT["random_pair"](int(number)) for number in rng.integers(0, 1000, 40)]
    whole = MeasureAccumulator()
    parts = [MeasureAccumulator() for _ in range(4)]
    for number, pair in enumerate(pairs):
        whole.update(*pair)
        parts[number % 4].update(*pair)
    merged = MeasureAccumulator()
    for part in reversed(parts):
        merged.merge(part)
    assert merged.images == 40
    assert merged.result() == whole.result()
    with pytest.raises(ValueError, match="cannot merge"):
        merged.merge(MeasureAccumulator(["mae"]))


def test_perfect_and_inverted_predictions():
    truth = np.zeros((20, 30), np.uint8)
    truth[5:12, 8:20] = 255
    right, wrong = MeasureAccumulator(), MeasureAccumulator()
    right.update(truth, truth)
    wrong.update(255 - truth, truth)
    best, worst = right.result(), wrong.result()
    assert best["mae"] == 0
    assert (best["miou"], best["boundary_f"], best["f_adaptive"], best["f_max"]) == (1, 1, 1, 1)
    assert best["s_measure"] == pytest.approx(1)
    assert best["weighted_f"] == pytest.approx(1)
    assert best["e_max"] == pytest.approx(600 / 599)
    assert worst["mae"] == 1
    assert worst["miou"] == 0
    assert worst["weighted_f"] == pytest.approx(0, abs=1e-9)
    assert worst["s_measure"] < 0.05


def disk_boundary_f(mask, truth, radius):
    """Match outline pixels by looking at every pixel of a disk."""
    ones, others = np.argwhere(outline(mask)), np.argwhere(outline(truth))
    near = np.array([[((a - b) ** 2).sum() <= radius**2 for b in others] for a in ones])
    p, r = near.any(axis=1).mean(), near.any(axis=0).mean()
    return 2 * p * r / (p + r) if p + r else 0.0


@pytest.mark.parametrize("seed", range(5))
def test_boundary_f_is_that_of_disks(seed):
    rng = np.random.default_rng(seed)
    masks = []
    for _ in range(2):
        mask = np.zeros((60, 80), bool)
        y, x = rng.integers(0, 40, 2)
        mask[y : y + rng.integers(5, 25), x : x + rng.integers(5, 25)] = True
        masks.append(mask)
    # ceil(0.03 · 100) = 3 pixels.
    assert boundary_f(*masks, tolerance=0.03) == pytest.approx(disk_boundary_f(*masks, 3), abs=1e-12)
    empty = np.zeros((60, 80), bool)
    assert boundary_f(empty, empty) == 1
    assert boundary_f(masks[0], empty) == boundary_f(empty, masks[0]) == 0


def test_outline_lies_where_a_pixel_differs_from_right_below_or_both():
    mask = np.zeros((4, 4), bool)
    mask[1, 1] = True
    assert np.argwhere(outline(mask)).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert not outline(np.ones((3, 3), bool)).any()


def test_the_protocol_and_the_measures_are_one_convention():
    pair = AGREEMENT["random_pair"](77)
    masks, further = SaliencyAccumulator("pysod"), MeasureAccumulator(["f"])
    masks.update(*pair)
    further.update(*pair)
    assert masks.result()["max_f"] == further.result()["f_max"]


def test_unknown_families_are_named():
    assert measure_families(["s", "all", "s"])[0] == "s"
    with pytest.raises(ValueError, match="--measures psnr: choose from mae, f, e"):
        measure_families(["mae", "psnr"])
