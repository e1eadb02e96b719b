"""DAAM's, Dataset Diffusion's and DiffSeg's ways on maps whose answer is known."""

import numpy as np
import pytest

from diffusionseg.baselines import daam, merging, propagation, segment_by_merging
from diffusionseg.baselines.centred import centred
from diffusionseg.baselines.merging import aggregate, divergence
from diffusionseg.masks import resize


def test_a_threshold_becomes_one_half_and_order_stays():
    values = np.linspace(2, 4, 21).reshape(3, 7)
    stretched = centred(values, 0.3)
    assert (stretched.min(), stretched.max()) == (0, 1)
    assert (np.diff(stretched.ravel()) > 0).all()
    assert np.array_equal(stretched > 0.5, (values - 2) / 2 > 0.3 + 1e-9)
    assert not centred(np.ones((2, 2)), 0.3).any()
    with pytest.raises(ValueError, match="threshold"):
        centred(values, 1.0)


def test_daam_is_the_mean_of_all_layers_on_the_finest_grid():
    rng = np.random.default_rng(0)
    coarse, fine = rng.random((4, 4)), rng.random((8, 8))
    found = daam([coarse, fine])
    assert np.allclose(found, centred((resize(coarse, (8, 8)) + fine) / 2, 0.4))


def test_propagation_is_the_matrix_power():
    rng = np.random.default_rng(0)
    affinity = rng.random((12, 12))
    affinity /= affinity.sum(1, keepdims=True)
    cross = rng.random((3, 4))
    expected = np.linalg.matrix_power(affinity, 4) @ cross.ravel()
    assert np.allclose(propagation(cross, affinity), centred(expected.reshape(3, 4), 0.6))
    assert np.allclose(propagation(cross, affinity, power=0), centred(cross, 0.6))
    with pytest.raises(ValueError, match="affinity"):
        propagation(cross, affinity[:5, :5])


def test_propagation_fills_the_side_that_attention_touches(block, block_attention):
    cross = np.full((12, 12), 0.1)
    cross[5, 6] = 1.0
    assert np.array_equal(propagation(cross, block_attention) > 0.5, block)


def test_divergence_is_the_symmetric_one():
    rng = np.random.default_rng(0)
    p, q = (rows / rows.sum(1, keepdims=True) for rows in rng.random((2, 3, 5)))
    expected = [[((a - b) * np.log(a / b)).sum() / 2 for b in q] for a in p]
    assert np.allclose(divergence(p, q), expected)
    assert np.allclose(divergence(p, p).diagonal(), 0)


def test_merging_finds_the_blocks_and_the_one_in_the_middle(block, block_attention):
    segments = segment_by_merging(block_attention, (12, 12), threshold=1.1)
    assert segments.shape == (96, 96)
    assert len(np.unique(segments)) == 2
    found = merging([block_attention], [(12, 12)], threshold=1.1)
    assert np.array_equal(found[4::8, 4::8] > 0.5, block)


def test_merging_of_maps_that_hardly_differ_goes_by_their_own_divergence(block_attention):
    flat = 0.98 / 144 + 0.02 * block_attention
    assert len(np.unique(segment_by_merging(flat, (12, 12), threshold=1.1))) == 1
    assert len(np.unique(segment_by_merging(flat, (12, 12)))) == 2


def test_layers_count_by_their_side():
    rng = np.random.default_rng(0)
    maps = [rng.random((side**2, side**2)) for side in (2, 4)]
    maps = [m / m.sum(1, keepdims=True) for m in maps]
    whole = aggregate(maps, [(2, 2), (4, 4)])
    assert np.allclose(whole.sum(1), 1)
    enlarged = resize(maps[0][3].reshape(2, 2), (4, 4)).ravel()
    assert np.allclose(whole[10], (2 * enlarged / enlarged.sum() + 4 * maps[1][10]) / 6)
