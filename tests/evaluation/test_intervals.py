"""Bootstrap: exact merging, honest coverage, a paired test that sees what is there and nothing else."""

import numpy as np
import pytest

from diffusionseg.evaluation import Bootstrap, paired_difference
from diffusionseg.evaluation.intervals import weights


def filled(values, name="iou", replicates=400, seed=0, keys=None):
    bootstrap = Bootstrap(replicates, seed)
    for key, value in zip(keys or map(str, range(len(values))), values, strict=True):
        bootstrap.update(key, {name: value})
    return bootstrap


def test_weights_are_poisson_and_only_the_image_and_the_seed_matter():
    drawn = np.concatenate([weights(0, str(key), 1000) for key in range(200)])
    assert drawn.mean() == pytest.approx(1, abs=0.01)
    assert drawn.var() == pytest.approx(1, abs=0.02)
    assert (drawn == 0).mean() == pytest.approx(np.exp(-1), abs=0.005)
    assert np.array_equal(weights(0, "a", 1000), weights(0, "a", 1000))
    assert not np.array_equal(weights(0, "a", 1000), weights(1, "a", 1000))
    assert np.corrcoef(weights(0, "a", 10_000), weights(0, "b", 10_000))[0, 1] == pytest.approx(0, abs=0.04)


def test_parts_merge_to_the_single_run_in_any_order():
    rng = np.random.default_rng(0)
    values = [{"iou": float(v), "curve": rng.random(5)} for v in rng.random(40)]
    whole, parts = Bootstrap(200), [Bootstrap(200) for _ in range(4)]
    for number, value in enumerate(values):
        whole.update(str(number), value)
    for number in rng.permutation(40):
        parts[number % 4].update(str(number), values[number])
    merged = Bootstrap(200)
    for part in parts:
        merged.merge(part)
    for name in ("iou", "curve"):
        assert np.array_equal(merged.statistic(name), whole.statistic(name))
        assert merged.interval(name) == whole.interval(name)
    assert merged.seen == whole.seen


def test_replicates_are_weighted_means_and_maxima_of_mean_curves():
    curves = np.random.default_rng(3).random((12, 7))
    bootstrap = filled(list(curves), "curve", replicates=100)
    drawn = np.array([weights(0, str(n), 100) for n in range(12)])
    expected = (drawn.T @ curves / drawn.sum(axis=0)[:, None]).max(axis=1)
    assert bootstrap.statistic("curve")[0] == pytest.approx(curves.mean(axis=0).max())
    assert bootstrap.statistic("curve")[1:] == pytest.approx(expected)


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    inside = 0
    for run in range(200):
        low, high = filled(rng.beta(2, 1, 80), keys=[f"{run} {n}" for n in range(80)]).interval("iou")
        inside += low <= 2 / 3 <= high
    assert 0.90 <= inside / 200 <= 0.985


def test_paired_test_sees_small_steady_differences_and_no_others():
    rng = np.random.default_rng(2)
    base = rng.beta(2, 1, 150)
    better = np.clip(base + 0.01 + rng.normal(0, 0.02, 150), 0, 1)
    found = paired_difference(filled(better), filled(base), "iou")
    assert found.difference == pytest.approx(better.mean() - base.mean(), abs=1e-9)
    assert found.low > 0
    assert found.p < 0.01
    # Unpaired, the two intervals overlap widely.
    assert filled(base).interval("iou")[1] > filled(better).interval("iou")[0]
    same = paired_difference(filled(base), filled(base), "iou")
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_without_difference_p_is_rarely_small():
    rng = np.random.default_rng(4)
    small = 0
    for run in range(100):
        keys, base = [f"{run} {n}" for n in range(60)], rng.random(60) * 0.8 + 0.1
        one, other = (filled(base + rng.normal(0, 0.03, 60), keys=keys) for _ in range(2))
        small += paired_difference(one, other, "iou").p < 0.05
    assert small <= 13


def test_different_images_or_seeds_are_refused():
    one = filled([0.1, 0.2])
    with pytest.raises(ValueError, match="same images"):
        paired_difference(one, filled([0.1, 0.2], keys=["0", "x"]), "iou")
    with pytest.raises(ValueError, match="same images"):
        paired_difference(one, filled([0.1, 0.2], seed=1), "iou")
    with pytest.raises(ValueError, match="seeds"):
        one.merge(filled([0.1], seed=1))
    with pytest.raises(ValueError, match="needs 100"):
        Bootstrap(10)
    with pytest.raises(ValueError, match="earlier images iou"):
        one.update("2", {"acc": 0.3})
