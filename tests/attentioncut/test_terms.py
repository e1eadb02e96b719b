"""Aggregation, unary and pairwise terms, pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusionseg.attentioncut import (
    aggregate_cross,
    aggregate_self,
    object_probability,
    otsu_threshold,
    pairwise_weights,
    pseudo_mask,
    unary_energy,
)


def stochastic(count, seed=0):
    rows = np.random.default_rng(seed).random((count, count))
    return rows / rows.sum(1, keepdims=True)


def test_layers_count_equally_whatever_their_scale():
    a, b = np.random.default_rng(0).random((2, 4, 4))
    expected = (a / a.mean() + b / b.mean()) / 2
    assert np.allclose(aggregate_cross([1000 * a, b / 1000], (4, 4)), expected)


def test_coarse_affinity_is_spread_over_the_finer_grid():
    result = aggregate_self([stochastic(6)], [(2, 3)], (4, 6))
    assert result.shape == (24, 24)
    assert np.allclose(result.sum(1), 1)
    same = aggregate_self([stochastic(6)], [(2, 3)], (2, 3))
    assert np.allclose(same, stochastic(6))


@pytest.mark.parametrize("wrong", [np.nan, -1.0])
def test_bad_maps_are_named(wrong):
    with pytest.raises(ValueError, match=r"cross\[1\]"):
        aggregate_cross([np.ones((2, 2)), np.full((2, 2), wrong)], (2, 2))
    with pytest.raises(ValueError, match=r"self_attention\[0\]"):
        aggregate_self([np.full((4, 4), wrong)], [(2, 2)], (2, 2))
    with pytest.raises(ValueError, match=r"self_attention\[0\]"):
        aggregate_self([np.ones((4, 4))], [(2, 3)], (2, 3))


def test_otsu_lies_between_two_peaks():
    values = np.array([0.1] * 30 + [0.12] * 20 + [0.8] * 10 + [0.9] * 5)
    assert 0.2 < otsu_threshold(values) < 0.75


def test_probability_is_one_half_at_the_threshold_and_clipped():
    values = np.array([[0.0, 0.0, 0.1, 0.1], [0.9, 0.9, 1.0, 1.0]])
    p = object_probability(values, temperature=0.12, clip=0.02)
    assert p.min() == pytest.approx(0.02)
    assert p.max() == pytest.approx(0.98)
    shifted = object_probability(3 * values + 7, temperature=0.12, clip=0.02)
    assert np.allclose(p, shifted)


def test_constant_attention_decides_nothing():
    assert (object_probability(np.full((3, 3), 0.4), 0.12, 0.02) == 0.5).all()


def test_unary_energy_by_hand():
    assert np.allclose(unary_energy(np.array([[0.25, 0.5]])), -np.log([[0.75, 0.25], [0.5, 0.5]]))


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    seed=st.integers(0, 1000),
    neighbours=st.sampled_from([None, 1, 3]),
)
def test_weights_are_symmetric_with_zero_diagonal_and_given_mean(height, width, seed, neighbours):
    count = height * width
    weights = pairwise_weights(
        stochastic(count, seed), (height, width), smoothness=2.5, sigma=2.5, neighbours=neighbours
    )
    assert np.array_equal(weights, weights.T)
    assert (np.diag(weights) == 0).all()
    if count > 1:
        assert weights.sum(1).mean() == pytest.approx(2.5)


def test_distance_lowers_weights_by_the_gaussian():
    weights = pairwise_weights(np.full((16, 16), 1 / 16), (1, 16), smoothness=1.0, sigma=2.0)
    assert weights[0, 4] / weights[0, 2] == pytest.approx(np.exp(-(16 - 4) / 8))


def test_pseudo_mask_has_three_values_at_the_documented_limits():
    soft = np.array([[0.0, 0.34, 0.35, 0.64, 0.65, 1.0]])
    assert pseudo_mask(soft, (0.35, 0.65)).tolist() == [[0, 0, 128, 128, 255, 255]]
