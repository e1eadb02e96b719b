"""The colour cut: it follows the photograph's colours and edges, and its parts follow their definitions."""

import dataclasses
import importlib

import numpy as np
import pytest
from PIL import Image
from scipy.cluster.vq import kmeans2
from scipy.stats import multivariate_normal

from diffusionseg.attentioncut import ColourCutConfig, colour_cut, cut_stability, refine_by_colour, small_cut
from diffusionseg.attentioncut.colour_cut import contrast_edges
from diffusionseg.attentioncut.colour_models import colour_log_density, colour_log_ratio, k_means
from diffusionseg.masks import refine

# The package exports the function of the same name.
colour_cut_module = importlib.import_module("diffusionseg.attentioncut.colour_cut")


def scene(height=60, width=90):
    """A noisy red disc on green, and the disc."""
    y, x = np.mgrid[:height, :width]
    disc = np.hypot(y - height / 2, x - width / 2) < 0.3 * min(height, width)
    noise = np.random.default_rng(0).integers(-20, 20, (height, width, 3))
    return np.clip(np.where(disc[..., None], [200, 60, 40], [50, 140, 70]) + noise, 0, 255).astype(np.uint8), disc


def test_a_coarse_saliency_becomes_the_object():
    image, disc = scene()
    coarse = np.full((6, 9), 0.1)
    coarse[2:4, 3:6] = 0.8
    found = refine_by_colour(image, coarse)
    assert found.dtype == np.float32
    assert np.array_equal(found > 0.5, disc)
    assert len(np.unique(found[disc])) > 1


def test_large_photographs_are_cut_small_and_come_back_at_their_size():
    image, disc = scene(300, 450)
    coarse = np.where(np.add.outer(np.abs(np.arange(20) - 10), np.abs(np.arange(30) - 15)) < 5, 0.9, 0.05)
    found = refine_by_colour(image, coarse, ColourCutConfig(side=64))
    assert found.shape == disc.shape
    assert ((found > 0.5) & disc).sum() / ((found > 0.5) | disc).sum() > 0.95


@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_a_flat_saliency_leaves_nothing_or_everything_unless_the_border_is_background(level):
    image, disc = scene()
    flat = np.full(image.shape[:2], level)
    assert colour_cut(image, flat, ColourCutConfig(margin=0.0)).mean() in (0.0, 1.0)
    if level == 0.4:
        assert np.array_equal(colour_cut(image, flat), disc)


def test_what_is_sure_at_the_border_may_stay():
    image, disc = scene()
    image, disc = image[:, 25:], disc[:, 25:]
    shifted = np.roll(image, -12, axis=1)
    assert not disc[:, 0].any()
    truth = np.roll(disc, -12, axis=1)
    assert truth[:, 0].any()
    found = colour_cut(shifted, truth.astype(float))
    assert (found & truth).sum() / (found | truth).sum() > 0.9


def test_a_distinct_object_is_cut_the_same_whatever_the_constants():
    image, disc = scene(90, 140)
    assert cut_stability(image, disc.astype(float), small_cut(image, disc.astype(float))) > 0.95


def test_where_constants_decide_stability_is_low_and_later_cuts_are_not_made():
    noise = np.random.default_rng(3).integers(0, 256, (60, 90, 3)).astype(np.uint8)
    y, x = np.mgrid[:60, :90]
    blob = np.exp(-((y - 20) ** 2 + (x - 30) ** 2) / 200.0)
    config = ColourCutConfig(smoothness=2.0)
    cut = small_cut(noise, blob, config)
    least = cut_stability(noise, blob, cut, config)
    assert least < 0.7
    # With `enough` out of reach the first variation ends it, so the result can only be higher.
    assert least <= cut_stability(noise, blob, cut, config, enough=1.0) < 1


def test_stability_is_the_least_overlap_with_the_cuts_of_varied_constants():
    image, vague = textured(96, 144)
    config = ColourCutConfig(side=144, coarse=48, smoothness=1.0, prior=0.5)
    cut = small_cut(image, vague, config)
    changes = {"side": 72, "coarse": 24}, {"prior": 0.0}, {"smoothness": 0.5}
    overlaps = []
    for change in changes:
        other = small_cut(image, vague, dataclasses.replace(config, **change))
        if other.shape != cut.shape:
            other = np.kron(other, np.ones((2, 2), bool))
        overlaps.append((cut & other).sum() / (cut | other).sum())
    assert cut_stability(image, vague, cut, config) == pytest.approx(min(overlaps))
    assert cut_stability(image, vague, cut, config, enough=1.0) == pytest.approx(overlaps[0])


def test_a_saliency_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"saliency is \(4, 4\)"):
        colour_cut(scene()[0], np.zeros((4, 4)))


def textured(height, width):
    """Patches and noise of no clear object, so that every round of a cut changes something, and a vague saliency."""
    rng = np.random.default_rng(5)
    patches = np.kron(rng.integers(40, 200, (height // 12, width // 12, 3)), np.ones((12, 12, 1)))
    image = np.clip(patches + rng.normal(0, 30, patches.shape), 0, 255).astype(np.uint8)
    return image, rng.uniform(0.3, 0.7, (8, 12))


def test_a_larger_photograph_is_cut_as_its_small_copy_was_and_then_at_most_twice_more():
    image, vague = textured(96, 144)
    config = ColourCutConfig(side=144, coarse=48, smoothness=1.0)
    small = np.asarray(Image.fromarray(image).resize((48, 32), Image.Resampling.BOX))
    start = np.kron(colour_cut(small, refine(vague, small), config), np.ones((3, 3), bool))
    smooth = refine(vague, image)

    def finished(rounds):
        return colour_cut(image, smooth, dataclasses.replace(config, iterations=rounds), start)

    found = small_cut(image, vague, config)
    assert np.array_equal(found, finished(2))
    others = [finished(1), finished(5), colour_cut(image, smooth, config)]
    others += [
        small_cut(image, vague, dataclasses.replace(config, **change)) for change in ({"iterations": 1}, {"coarse": 24})
    ]
    assert not any(np.array_equal(found, other) for other in others)


def test_a_photograph_hardly_larger_than_the_small_copy_is_cut_at_once():
    image, vague = textured(96, 144)
    config = ColourCutConfig(side=144, coarse=100, smoothness=1.0)
    assert np.array_equal(small_cut(image, vague, config), colour_cut(image, refine(vague, image), config))


@pytest.mark.parametrize("level", [0.02, 0.98])
def test_where_the_small_copy_shows_nothing_or_all_the_cut_begins_at_full_size(level, monkeypatch):
    image, vague = textured(96, 144)
    config = ColourCutConfig(side=144, coarse=48, smoothness=1.0)
    real = colour_cut_module.colour_cut
    monkeypatch.setattr(
        colour_cut_module,
        "colour_cut",
        lambda image, *rest: real(image, *rest) if len(image) > 32 else np.full(image.shape[:2], level > 0.5),
    )
    assert np.array_equal(small_cut(image, vague, config), real(image, refine(vague, image), config))


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


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (2, 2)])
def test_the_smallest_images_have_edges(shape):
    weights = weights_of(np.zeros((*shape, 3), np.uint8), 1.0)
    height, width = shape
    straight, slanted = height * (width - 1) + width * (height - 1), 2 * (height - 1) * (width - 1)
    assert weights.sum() == pytest.approx(2 * (straight + slanted / np.sqrt(2)))


def test_colours_of_the_object_are_likelier_in_it():
    image, disc = scene()
    pixels, labels = image.reshape(-1, 3).astype(float), disc.ravel()
    ratio = colour_log_ratio(pixels, labels, 5)
    assert (ratio[labels] > 0).mean() > 0.99
    assert (ratio[~labels] < 0).mean() > 0.99
    assert np.abs(ratio).max() <= 4
    assert not colour_log_ratio(pixels, np.arange(len(pixels)) < 5, 5).any()


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
