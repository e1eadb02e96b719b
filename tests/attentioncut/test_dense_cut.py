"""The dense cut is `min_cut`'s, whether positions decide themselves or not, with Numba and without."""

import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, sparse

from diffusionseg.attentioncut import dense_energy, dense_min_cut, energy, min_cut, object_probability, unary_energy
from diffusionseg.attentioncut.dense_compiled import dense_source_side as compiled
from diffusionseg.attentioncut.dense_cut import dense_source_side
from diffusionseg.attentioncut.mincut import FlowGraph
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


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 0.3, 1.0, 3.0, 30.0]),
    st.sampled_from([3, 1000, 2**22]),
)
def test_compiled_labels_are_the_plain_ones(count, seed, strength, largest):
    """Few different capacities make many minimum cuts, of which one has the fewest positions."""
    rng = np.random.default_rng(seed)
    edges = np.triu(rng.integers(0, largest, (count, count)) * (rng.random((count, count)) < rng.random()), 1)
    capacity = (edges + edges.T).astype(np.int32)
    spread = max(1.0, strength * capacity.sum(1).mean())
    pull = np.rint(rng.normal(size=count) * spread).clip(-(2**30), 2**30).astype(np.int64)
    kept = pull.copy(), capacity.copy()
    assert np.array_equal(compiled(pull, capacity), dense_source_side(pull, capacity))
    assert np.array_equal(pull, kept[0])
    assert np.array_equal(capacity, kept[1])


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("decide", [compiled, dense_source_side])
def test_on_attention_most_positions_decide_themselves(seed, decide, monkeypatch):
    unary, weights = attention_problem(16, seed)
    expected = min_cut(unary, sparse.csr_array(weights))
    left = []

    def noted(count, *edges):
        left.append(count)
        return FlowGraph(count, *edges)

    monkeypatch.setattr("diffusionseg.attentioncut.dense_cut.LARGE", 0)
    monkeypatch.setattr("diffusionseg.attentioncut.dense_cut._source_side", lambda: decide)
    monkeypatch.setattr("diffusionseg.attentioncut.dense_cut.FlowGraph", noted)
    cut = dense_min_cut(unary, weights)
    assert np.array_equal(cut.labels, expected.labels)
    assert cut.energy == pytest.approx(expected.energy, abs=expected.tolerance + 1e-9)
    assert sum(left) < len(unary)
    assert bool(left) == (decide is dense_source_side)


def test_cuts_without_numba():
    program = """
import sys
sys.modules["numba"] = None
import numpy as np
from diffusionseg.attentioncut import dense_min_cut
unary = np.tile([[2.0, 1.0], [1.0, 1.5]], (200, 1))
print(dense_min_cut(unary, np.ones((400, 400)) - np.eye(400)).labels.sum())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "400"


def test_numba_is_loaded_with_the_first_large_cut_alone():
    program = """
import sys
import numpy as np
from diffusionseg.attentioncut import dense_min_cut
for count in (399, 400):
    dense_min_cut(np.zeros((count, 2)), np.zeros((count, count)))
    print("numba" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


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
