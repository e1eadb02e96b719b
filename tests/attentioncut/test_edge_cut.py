"""The edge of a cut on a larger copy: least energy in a band around it, everything else as it was."""

import dataclasses

import numpy as np
import pytest
from scipy import sparse

from cut_scenes import textured
from diffusionseg.attentioncut import ColourCutConfig, edge_cut, min_cut
from diffusionseg.attentioncut.colour_energy import beliefs, contrast_edges
from diffusionseg.attentioncut.colour_models import colour_log_ratio

CONFIG = ColourCutConfig(band=2, fine_smoothness=1.0, prior=0.5)


def case():
    """A photograph (48, 72), a vague saliency of its size, and a cut (24, 36) of half that, which runs out below."""
    image, _ = textured(48, 72)
    cut = np.zeros((24, 36), bool)
    cut[6:17, 9:24] = True
    cut[9:12, 14:16] = False
    cut[17:, 10:22] = True
    return image, np.random.default_rng(2).uniform(0.2, 0.8, (48, 72)), cut


def doubled(cut):
    return np.kron(cut, np.ones((2, 2), bool))


def band_of(cut, width):
    """By its definition: pixels of which another side is at most so many rows and columns away."""
    padded = np.pad(cut, width, mode="edge")
    shifts = [
        padded[row : row + cut.shape[0], column : column + cut.shape[1]]
        for row in range(2 * width + 1)
        for column in range(2 * width + 1)
    ]
    return np.any([shift != cut for shift in shifts], axis=0)


def test_it_has_the_least_energy_of_all_cuts_that_differ_in_the_band_alone():
    image, saliency, cut = case()
    start = doubled(cut)
    free = doubled(band_of(cut, 2))
    ratio = colour_log_ratio(image.reshape(-1, 3).astype(float), start.ravel(), 5)
    score = beliefs(saliency, CONFIG).ravel() + ratio
    # What is not free is held by a preference that no edges outweigh.
    score = np.where(free.ravel(), score, np.where(start.ravel(), 1000.0, -1000.0))
    edges = contrast_edges(image, 1.0)
    weights = sparse.coo_array((edges.weight, (edges.row, edges.column)), shape=(start.size,) * 2)
    expected = min_cut(np.stack([score, np.zeros_like(score)], 1), sparse.csr_array(weights + weights.T)).labels
    found = edge_cut(image, saliency, cut, CONFIG)
    assert np.array_equal(found.ravel(), expected)
    assert (found != start).sum() > 20
    for change in ({"margin": 0.0}, {"band": 3}, {"fine_smoothness": 4.0}, {"prior": 2.0}, {"colour": 0.0}):
        assert not np.array_equal(found, edge_cut(image, saliency, cut, dataclasses.replace(CONFIG, **change)))


def test_what_a_smaller_copy_cannot_show_is_found_and_what_is_far_stays():
    y, x = np.mgrid[:128, :192]
    teeth = ((x + 1) % 4 < 2) & (y >= 36) & (y < 44)
    truth = (y >= 40) & (y < 100) & (x >= 40) & (x < 150) | teeth & (x >= 40) & (x < 150)
    island = (np.abs(y - 70) < 8) & (np.abs(x - 95) < 8)
    noise = np.random.default_rng(0).integers(-12, 12, (128, 192, 3))
    colours = np.where((truth & ~island)[..., None], [200, 60, 40], [50, 140, 70])
    image = np.clip(colours + noise, 0, 255).astype(np.uint8)
    coarse = truth.reshape(64, 2, 96, 2).mean((1, 3)) > 0.5
    found = edge_cut(image, np.full(truth.shape, 0.5), coarse, ColourCutConfig(fine_smoothness=1.0))
    enlarged = doubled(coarse)
    assert (found != truth).sum() < 0.2 * (enlarged != truth).sum()
    assert found[island].all()


@pytest.mark.parametrize("cut", [np.zeros((24, 36), bool), np.ones((24, 36), bool)])
def test_a_cut_without_an_edge_stays(cut):
    image, saliency, _ = case()
    assert np.array_equal(edge_cut(image, saliency, cut), doubled(cut))


def test_what_enlarging_loses_is_not_drawn_anew():
    image, cut = np.full((133, 200, 3), 90, np.uint8), np.zeros((85, 128), bool)
    cut[27, 20] = True
    assert not edge_cut(image, np.full((133, 200), 0.9), cut, dataclasses.replace(CONFIG, prior=5.0)).any()


def test_a_ground_that_would_be_lost_stays_as_it_was():
    image, cut = np.full((48, 72, 3), 90, np.uint8), np.ones((24, 36), bool)
    cut[10:13, 10:20] = False
    config = dataclasses.replace(CONFIG, prior=5.0, margin=0.0)
    assert np.array_equal(edge_cut(image, np.ones((48, 72)), cut, config), doubled(cut))


def test_an_object_that_would_be_lost_stays_as_it_was():
    image, config = np.full((48, 72, 3), 90, np.uint8), dataclasses.replace(CONFIG, prior=5.0)
    thin, thick = np.zeros((2, 24, 36), bool)
    thin[10:13, 10:20] = True
    thick[6:18, 10:30] = True
    assert np.array_equal(edge_cut(image, np.zeros((48, 72)), thin, config), doubled(thin))
    expected = doubled(thick & ~band_of(thick, 2))
    assert np.array_equal(edge_cut(image, np.zeros((48, 72)), thick, config), expected)


def test_a_saliency_of_another_size_is_refused():
    image, _, cut = case()
    with pytest.raises(ValueError, match=r"saliency is \(4, 4\)"):
        edge_cut(image, np.zeros((4, 4)), cut)
