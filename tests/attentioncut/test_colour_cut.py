"""The colour cut: it follows the photograph's colours and edges, and its parts follow their definitions."""

import numpy as np
import pytest
from scipy.cluster.vq import kmeans2
from scipy.stats import multivariate_normal

from cut_scenes import red_disc
from diffusionseg.attentioncut import ColourCutConfig, colour_cut
from diffusionseg.attentioncut.colour_energy import beliefs, contrast_edges
from diffusionseg.attentioncut.colour_models import colour_log_density, colour_log_ratio, k_means


@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_a_flat_saliency_leaves_nothing_or_everything_unless_the_border_is_background(level):
    image, disc = red_disc()
    flat = np.full(image.shape[:2], level)
    assert colour_cut(image, flat, ColourCutConfig(margin=0.0)).mean() in (0.0, 1.0)
    if level == 0.4:
        assert np.array_equal(colour_cut(image, flat), disc)


def test_what_is_sure_at_the_border_may_stay():
    image, disc = red_disc()
    image, disc = image[:, 25:], disc[:, 25:]
    shifted = np.roll(image, -12, axis=1)
    assert not disc[:, 0].any()
    truth = np.roll(disc, -12, axis=1)
    assert truth[:, 0].any()
    found = colour_cut(shifted, truth.astype(float))
    assert (found & truth).sum() / (found | truth).sum() > 0.9


def test_a_saliency_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"saliency is \(4, 4\)"):
        colour_cut(red_disc()[0], np.zeros((4, 4)))


def weights_of(image, smoothness):
    edges = contrast_edges(image, smoothness)
    weights = np.zeros((image.shape[0] * image.shape[1],) * 2)
    np.add.at(weights, (edges.row, edges.column), edges.weight)
    return weights + weights.T


def test_contrast_edges_are_the_definition():
    image = np.random.default_rng(1).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    weights = weights_of(image, 3.0)
    pixels = image.reshape(-1, 3).astype(float)
    pairs = {
        (i, j): np.hypot(i // 7 - j // 7, i % 7 - j % 7)
        for i in range(35)
        for j in range(35)
        if i != j and max(abs(i // 7 - j // 7), abs(i % 7 - j % 7)) == 1
    }
    square = {pair: ((pixels[pair[0]] - pixels[pair[1]]) ** 2).sum() for pair in pairs}
    beta = 1 / (2 * np.mean(list(square.values())))
    expected = np.zeros((35, 35))
    for pair, length in pairs.items():
        expected[pair] = 3.0 * np.exp(-beta * square[pair]) / length
    assert np.allclose(weights, expected)


def test_beliefs_are_log_odds_and_a_cost_in_the_margin():
    saliency = np.random.default_rng(4).random((20, 30))
    saliency[3, 5], saliency[10, 10] = 0.0, 1.0
    odds = np.clip(saliency, 0.05, 0.95) / (1 - np.clip(saliency, 0.05, 0.95))
    y, x = np.mgrid[:20, :30]
    margin = (y < 2) | (y >= 18) | (x < 3) | (x >= 27)
    config = ColourCutConfig(prior=0.5, clip=0.05, margin=0.1, border=2.0)
    assert np.allclose(beliefs(saliency, config), 0.5 * np.log(odds) - 2.0 * margin)


def test_edges_near_a_place_are_those_with_an_end_there():
    image, near = np.random.default_rng(1).integers(0, 256, (5, 7, 3)).astype(np.uint8), np.zeros((5, 7), bool)
    near[1:3, 2:6] = True
    all_edges, some = contrast_edges(image, 3.0), contrast_edges(image, 3.0, near)
    kept = near.ravel()[all_edges.row] | near.ravel()[all_edges.column]
    assert 0 < kept.sum() < len(kept)
    for every, found in zip(all_edges, some, strict=True):
        assert np.array_equal(found, every[kept])


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (2, 2)])
def test_the_smallest_images_have_edges(shape):
    weights = weights_of(np.zeros((*shape, 3), np.uint8), 1.0)
    height, width = shape
    straight, slanted = height * (width - 1) + width * (height - 1), 2 * (height - 1) * (width - 1)
    assert weights.sum() == pytest.approx(2 * (straight + slanted / np.sqrt(2)))


def test_colours_of_the_object_are_likelier_in_it():
    image, disc = red_disc()
    pixels, labels = image.reshape(-1, 3).astype(float), disc.ravel()
    ratio = colour_log_ratio(pixels, labels, 5)
    assert (ratio[labels] > 0).mean() > 0.99
    assert (ratio[~labels] < 0).mean() > 0.99
    assert np.abs(ratio).max() <= 4
    assert not colour_log_ratio(pixels, np.arange(len(pixels)) < 5, 5).any()
    asked = np.array([3, 2700, 5000])
    assert np.array_equal(colour_log_ratio(pixels, labels, 5, asked), ratio[asked])
    assert not colour_log_ratio(pixels, np.arange(len(pixels)) < 5, 5, asked).any()


def test_the_density_is_a_mixture_of_what_k_means_finds():
    rng = np.random.default_rng(0)
    groups = [rng.normal(centre, spread, (count, 3)) for centre, spread, count in ((60, 4, 300), (180, 9, 100))]
    colours = rng.uniform(0, 255, (50, 3))
    expected = np.log(
        sum(
            len(own) / 400 * multivariate_normal(own.mean(0), np.cov(own.T, bias=True) + 9 * np.eye(3)).pdf(colours)
            for own in groups
        )
    )
    found = colour_log_density(colours, np.concatenate(groups), 2)
    assert np.allclose(found - expected, np.log(2 * np.pi) * 1.5)


@pytest.mark.parametrize("colours", [np.zeros((40, 3)), np.repeat([[10.0, 20, 30], [200, 0, 0]], 20, axis=0)])
def test_pictures_of_one_or_two_colours_have_a_density(colours):
    assert np.isfinite(colour_log_density(colours, colours, 5)).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"side": 4},
        {"coarse": 4},
        {"fine": 7},
        {"band": 0},
        {"fine_smoothness": -1.0},
        {"iterations": 0},
        {"finish": 0},
        {"prior": -1.0},
        {"smoothness": np.inf},
        {"clip": 0.5},
        {"border": -1.0},
        {"clusters": 0},
        {"margin": 0.5},
        {"trust": 0.5},
    ],
)
def test_constants_out_of_range_are_named(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        ColourCutConfig(**changes)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.filterwarnings("ignore:One of the clusters is empty")
def test_k_means_are_those_of_scipy(seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 4 if seed % 2 else 255, (300, 3)).astype(np.float64)
    # A centre far away loses its members.
    centres = np.vstack([values[:4], np.full((1, 3), 1e4)])
    _, expected = kmeans2(values, centres.copy(), iter=8, minit="matrix")
    assert np.array_equal(k_means(values, centres, 8), expected)
