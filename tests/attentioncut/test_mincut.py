"""The minimum cut is exact: against every labelling, and against networkx."""

from itertools import product

import networkx as nx
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import sparse

from diffusionseg.attentioncut import energy, min_cut
from diffusionseg.attentioncut.mincut import CutGraph, edges_once


def problem(count, seed, density=1.0):
    """Random unary (N, 2) and symmetric weights (N, N)."""
    rng = np.random.default_rng(seed)
    unary = rng.exponential(1.0, (count, 2))
    upper = np.triu(rng.exponential(0.4, (count, count)) * (rng.random((count, count)) < density), 1)
    return unary, sparse.csr_array(upper + upper.T)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 3),
    width=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
    density=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_no_labelling_has_less_energy(height, width, seed, density):
    unary, weights = problem(height * width, seed, density)
    cut = min_cut(unary, weights)
    least = min(sum(energy(np.array(y, bool), unary, weights)) for y in product([0, 1], repeat=height * width))
    assert cut.energy == pytest.approx(sum(energy(cut.labels, unary, weights)))
    assert least - 1e-9 <= cut.energy <= least + cut.tolerance
    assert cut.tolerance < 1e-5


def test_four_by_four_exactly():
    unary, weights = problem(16, 7, 0.5)
    table = np.array(list(product([0, 1], repeat=16)), dtype=bool)
    dense = weights.toarray()
    apart = table[:, :, None] != table[:, None, :]
    totals = np.where(table, unary[:, 1], unary[:, 0]).sum(1) + (apart * dense).sum((1, 2)) / 2
    cut = min_cut(unary, weights)
    assert cut.energy == pytest.approx(totals.min(), abs=cut.tolerance)
    assert np.array_equal(cut.labels, table[totals.argmin()])


@settings(max_examples=8, deadline=None)
@given(side=st.integers(5, 16), seed=st.integers(0, 2**32 - 1))
def test_equal_to_networkx(side, seed):
    unary, weights = problem(side * side, seed, density=min(1.0, 400 / side**3))
    graph = nx.DiGraph()
    for i, (background, object_) in enumerate(unary):
        graph.add_edge("source", i, capacity=background)
        graph.add_edge(i, "sink", capacity=object_)
    edges = sparse.coo_array(weights)
    for i, j, w in zip(edges.row, edges.col, edges.data, strict=True):
        graph.add_edge(int(i), int(j), capacity=w)
    value, _ = nx.minimum_cut(graph, "source", "sink")
    cut = min_cut(unary, weights)
    assert cut.energy == pytest.approx(value, abs=cut.tolerance + 1e-9)


def test_energy_by_hand():
    unary = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    weights = sparse.csr_array(np.array([[0, 0.5, 0.25], [0.5, 0, 0.125], [0.25, 0.125, 0]]))
    assert energy(np.array([True, False, True]), unary, weights) == (2.0 + 3.0 + 6.0, 0.5 + 0.125)


def test_of_equal_labellings_the_one_without_object_is_taken():
    cut = min_cut(np.full((4, 2), 0.7), sparse.csr_array((4, 4)))
    assert not cut.labels.any()


def test_large_energies_and_small_differences():
    unary = np.array([[1e6, 0.0], [0.0, 1e6], [1.0, 1.0 + 1e-2]])
    cut = min_cut(unary, sparse.csr_array((3, 3)))
    assert cut.labels.tolist() == [True, False, False]


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_not_finite_is_refused(wrong):
    with pytest.raises(ValueError, match="unary"):
        min_cut(np.array([[wrong, 0.0]]), sparse.csr_array((1, 1)))
    with pytest.raises(ValueError, match="weights"):
        min_cut(np.zeros((2, 2)), sparse.csr_array(np.array([[0, wrong], [wrong, 0]])))


def test_negative_weights_and_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="not negative"):
        min_cut(np.zeros((2, 2)), sparse.csr_array(np.array([[0, -1.0], [-1.0, 0]])))
    with pytest.raises(ValueError, match="must be"):
        min_cut(np.zeros((3, 2)), sparse.csr_array((2, 2)))


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 60), seed=st.integers(0, 2**32 - 1), density=st.sampled_from([0.0, 0.1, 1.0]))
@example(count=46, seed=46, density=1.0)  # All positions and none cost the same.
def test_cuts_of_one_graph_do_not_depend_on_each_other(count, seed, density):
    """Similar unary terms and others, whole numbers of them for ties, and larger ones than before."""
    rng = np.random.default_rng(seed)
    _, weights = problem(count, seed, density)
    weights = sparse.csr_array(np.rint(4 * weights.toarray())) if rng.random() < 0.5 else weights
    graph = CutGraph(count, edges_once(weights))
    preference = rng.normal(size=count)
    for change in (0.1, 0.1, 2.0, 0.0, 50.0, 0.1):
        preference = preference + change * rng.normal(size=count)
        if rng.random() < 0.5:
            preference = np.rint(preference)
        unary = np.stack([np.maximum(preference, 0), np.maximum(-preference, 0)], 1)
        assert np.array_equal(graph.labels(preference), min_cut(unary, weights).labels)


def test_an_edge_that_is_stored_in_parts_counts_as_their_sum():
    unary = np.array([[0.0, 3.0], [1.5, 0.0]])
    parts = sparse.csr_array(([1.0, 1.0, 1.0, 1.0], [1, 1, 0, 0], [0, 2, 4]), shape=(2, 2))
    whole = sparse.csr_array(np.array([[0.0, 2.0], [2.0, 0.0]]))
    assert min_cut(unary, parts).labels.tolist() == min_cut(unary, whole).labels.tolist() == [False, False]
    assert min_cut(unary, parts).energy == min_cut(unary, whole).energy == 1.5
