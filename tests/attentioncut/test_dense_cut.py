"""The dense cut is `min_cut`'s, whether positions decide themselves or not."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, sparse

from diffusionseg.attentioncut import dense_energy, dense_min_cut, energy, min_cut, object_probability, unary_energy
from diffusionseg.attentioncut.pairwise import pairwise_weights


def problem(count, seed, strength):
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.exponential(strength / count, (count, count)), 1)
    return rng.exponential(1.0, (count, 2)), upper + upper.T


def attention_problem(side, seed):
    """A smooth, noisy attention map and the affinity of smooth random features."""
    rng = np.random.default_rng(seed)
    attention = ndimage.gaussian_filter(rng.normal(size=(side, side)), side / 8)
    attention = attention / attention.std() + 0.4 * rng.normal(size=(side, side))
    features = np.stack([ndimage.gaussian_filter(rng.normal(size=(side, side)), side / 10) for _ in range(6)], -1)
    features = features.reshape(side * side, -1) / features.std()
    affinity = np.exp(0.5 * features @ features.T)
    affinity /= affinity.sum(1, keepdims=True)
    unary = unary_energy(object_probability(attention, 0.12, 0.02))
    return unary, pairwise_weights(affinity, (side, side), smoothness=2.5, sigma=2.5)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 10), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 1.0, 3.0, 10.0]))
def test_no_labelling_has_less_energy(count, seed, strength):
    unary, weights = problem(count, seed, strength)
    cut = dense_min_cut(unary, weights)
    least = min(sum(dense_energy(np.array(y, bool), unary, weights)) for y in product([0, 1], repeat=count))
    assert cut.energy == pytest.approx(sum(dense_energy(cut.labels, unary, weights)))
    assert least - 1e-9 <= cut.energy <= least + cut.tolerance + 1e-9


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("strength", [0.5, 2.0, 5.0, 50.0])
def test_labels_are_those_of_min_cut(seed, strength):
    unary, weights = problem(150, seed, strength)
    assert np.array_equal(dense_min_cut(unary, weights).labels, min_cut(unary, sparse.csr_array(weights)).labels)


@pytest.mark.parametrize("seed", range(10))
def test_on_attention_most_positions_decide_themselves(seed, monkeypatch):
    unary, weights = attention_problem(16, seed)
    expected = min_cut(unary, sparse.csr_array(weights))
    left = []

    def noted(unary, weights):
        left.append(len(unary))
        return min_cut(unary, weights)

    monkeypatch.setattr("diffusionseg.attentioncut.dense_cut.min_cut", noted)
    cut = dense_min_cut(unary, weights)
    assert np.array_equal(cut.labels, expected.labels)
    assert cut.energy == pytest.approx(expected.energy, abs=expected.tolerance + 1e-9)
    assert sum(left) < len(unary)


def test_energies_are_those_of_the_sparse_form():
    unary, weights = problem(30, 0, 2.0)
    labels = np.random.default_rng(1).random(30) < 0.5
    assert dense_energy(labels, unary, weights) == pytest.approx(energy(labels, unary, sparse.csr_array(weights)))


def test_of_equal_labellings_the_one_without_object_is_taken():
    assert not dense_min_cut(np.full((4, 2), 0.7), np.zeros((4, 4))).labels.any()
    weights = np.ones((3, 3)) - np.eye(3)
    assert not dense_min_cut(np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]), weights).labels.any()


@pytest.mark.parametrize(
    ("unary", "weights", "message"),
    [
        (np.array([[np.nan, 0.0]]), np.zeros((1, 1)), "NaN or infinity"),
        (np.zeros((2, 2)), np.array([[0, np.inf], [np.inf, 0]]), "NaN or infinity"),
        (np.zeros((2, 2)), np.array([[0, -1.0], [-1.0, 0]]), "not negative"),
        (np.zeros((2, 2)), np.eye(2), "zero on the diagonal"),
        (np.zeros((2, 2)), np.array([[0, 1.0], [2.0, 0]]), "symmetric"),
        (np.zeros((3, 2)), np.zeros((2, 2)), r"\(3, 2\) and \(2, 2\)"),
    ],
)
def test_what_does_not_fit_is_refused(unary, weights, message):
    with pytest.raises(ValueError, match=message):
        dense_min_cut(unary, weights)
