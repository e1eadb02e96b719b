"""What must hold of every minimum cut, beyond its energy being least."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from diffusionseg.attentioncut import attention_cut, min_cut


def integer_problem(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Small integer costs, so that ties are frequent."""
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.integers(0, 3, (count, count)), 1)
    return rng.integers(0, 5, (count, 2)).astype(float), (upper + upper.T).astype(float)


@settings(max_examples=40, deadline=None)
@given(count=st.integers(2, 12), seed=st.integers(0, 2**32 - 1))
def test_dearer_background_never_takes_a_position_from_the_object(count, seed):
    unary, weights = integer_problem(count, seed)
    before = min_cut(unary, sparse.csr_array(weights)).labels
    unary[:, 0] += np.random.default_rng(seed + 1).integers(0, 3, count)
    after = min_cut(unary, sparse.csr_array(weights)).labels
    assert (after | ~before).all()


@settings(max_examples=40, deadline=None)
@given(count=st.integers(2, 12), seed=st.integers(0, 2**32 - 1))
def test_the_order_of_positions_does_not_matter_even_in_ties(count, seed):
    unary, weights = integer_problem(count, seed)
    order = np.random.default_rng(seed).permutation(count)
    labels = min_cut(unary, sparse.csr_array(weights)).labels
    permuted = min_cut(unary[order], sparse.csr_array(weights[np.ix_(order, order)])).labels
    assert np.array_equal(permuted, labels[order])


@settings(max_examples=40, deadline=None)
@given(count=st.integers(2, 12), seed=st.integers(0, 2**32 - 1))
def test_no_single_position_gains_by_changing_sides(count, seed):
    unary, weights = integer_problem(count, seed)
    labels = min_cut(unary, sparse.csr_array(weights)).labels
    gain_of_object = unary[:, 0] - unary[:, 1] + weights @ np.where(labels, 1.0, -1.0)
    assert (gain_of_object[labels] >= 0).all()
    assert (gain_of_object[~labels] <= 0).all()


def test_strong_edges_bind_positions_to_the_majority():
    unary = np.array([[2.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    chain = np.array([[0, 10.0, 0], [10.0, 0, 10.0], [0, 10.0, 0]])
    assert min_cut(unary, sparse.csr_array(chain)).labels.tolist() == [True, True, True]
    assert min_cut(unary, sparse.csr_array(chain / 100)).labels.tolist() == [True, True, False]


@pytest.mark.parametrize("name", ["cross", "self_attention"])
def test_nan_is_reported_with_the_argument_it_is_in(name):
    arguments = {"cross": np.ones((2, 2)), "self_attention": np.full((4, 4), 0.25)}
    arguments[name][0, 0] = np.nan
    with pytest.raises(ValueError, match=rf"{name}\[0\]"):
        attention_cut([arguments["cross"]], [arguments["self_attention"]], [(2, 2)], np.zeros((8, 8, 3), np.uint8))
