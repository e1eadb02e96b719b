"""TokenCut's and DiffCut's ways on graphs whose best cut is known."""

import itertools

import numpy as np

from diffusionseg.baselines import ncut_affinity, ncut_features
from diffusionseg.baselines.ncut_affinity import cosine_affinity, recursive_cut
from diffusionseg.baselines.normalised_cut import ncut_values, second_eigenvector
from diffusionseg.baselines.segments import main_segment


def two_blocks(rng, sizes=(5, 7)):
    """Affinity of two groups that belong together inside, and hardly across."""
    group = np.repeat([0, 1], sizes)
    weights = np.where(group[:, None] == group, 1.0, 0.01) * rng.uniform(0.8, 1.0, (len(group),) * 2)
    return (weights + weights.T) / 2, group.astype(bool)


def test_eigenvector_solves_the_generalised_problem_and_parts_two_blocks():
    weights, group = two_blocks(np.random.default_rng(0))
    vector = second_eigenvector(weights)
    degrees = weights.sum(1)
    left = (np.diag(degrees) - weights) @ vector
    assert np.allclose(left, (left @ vector) / (vector @ (degrees * vector)) * degrees * vector)
    assert vector[np.argmax(np.abs(vector))] > 0
    assert np.array_equal(vector > 0, group) or np.array_equal(vector < 0, group)


def test_values_are_cut_over_volumes_and_the_blocks_are_the_best_of_all_partitions():
    weights, group = two_blocks(np.random.default_rng(1), (3, 4))
    every = np.array(list(itertools.product([0.0, 1.0], repeat=7)))
    values = ncut_values(every, weights)
    assert np.isinf(values[[0, -1]]).all()
    best = every[np.argmin(values)] > 0
    assert np.array_equal(best, group) or np.array_equal(best, ~group)
    cut = weights[group][:, ~group].sum()
    assert np.isclose(values.min(), cut / weights[group].sum() + cut / weights[~group].sum())


def test_recursion_ends_with_the_blocks():
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1, 2], [6, 8, 10])
    weights = np.where(group[:, None] == group, 1.0, 0.02) * rng.uniform(0.9, 1.0, (24, 24))
    parts = recursive_cut((weights + weights.T) / 2, tau=0.5)
    assert parts.max() == 2
    assert all(len(set(parts[group == g])) == 1 for g in range(3))
    assert recursive_cut(np.ones((6, 6)), tau=0.5).max() == 0


def test_both_ways_find_the_square(block, block_features):
    assert np.array_equal(ncut_features(block_features, block.shape) > 0.5, block)
    found = ncut_affinity(block_features, block.shape)
    assert found.shape == (96, 96)
    assert np.array_equal(found[4::8, 4::8] > 0.5, block)


def test_of_the_side_only_the_part_around_the_seed_is_kept(block_features, block):
    features = block_features.reshape(12, 12, 6).copy()
    features[0, 0] = features[5, 6]
    found = ncut_features(features.reshape(144, 6), block.shape)
    assert found.sum() in (1, block.sum())


def test_affinity_is_symmetric_and_in_range(block_features):
    affinity = cosine_affinity(block_features)
    assert np.array_equal(affinity, affinity.T)
    assert 0 <= affinity.min() <= affinity.max() <= 1


def test_main_segment_keeps_off_the_border():
    segments = np.zeros((10, 10), dtype=int)
    segments[2:8, 3:8] = 1
    segments[4, 4] = 2
    segments[:, 9] = 3
    assert np.array_equal(main_segment(segments) > 0, segments == 1)
    assert main_segment(np.zeros((4, 4), dtype=int)).all()
