"""Cuts of photographs on copies of several sizes: begun small, finished larger, with a finer edge in the end."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from cut_scenes import red_disc, textured
from diffusionseg.attentioncut import (
    ColourCutConfig,
    colour_cut,
    cut_stability,
    edge_cut,
    photo_cut,
    refine_by_colour,
    small_cut,
)
from diffusionseg.masks import fast_guided_filter, refine, resize


def test_a_coarse_saliency_becomes_the_object():
    image, disc = red_disc()
    coarse = np.full((6, 9), 0.1)
    coarse[2:4, 3:6] = 0.8
    found = refine_by_colour(image, coarse)
    assert found.dtype == np.float32
    assert np.array_equal(found > 0.5, disc)
    assert len(np.unique(found[disc])) > 1


def test_large_photographs_are_cut_small_and_come_back_at_their_size():
    image, disc = red_disc(300, 450)
    coarse = np.where(np.add.outer(np.abs(np.arange(20) - 10), np.abs(np.arange(30) - 15)) < 5, 0.9, 0.05)
    found = refine_by_colour(image, coarse, ColourCutConfig(side=64))
    assert found.shape == disc.shape
    assert ((found > 0.5) & disc).sum() / ((found > 0.5) | disc).sum() > 0.95


def test_a_distinct_object_is_cut_the_same_whatever_the_constants():
    image, disc = red_disc(90, 140)
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


def test_a_larger_photograph_is_cut_as_its_small_copy_was_and_then_once_more():
    image, vague = textured(96, 144)
    config = ColourCutConfig(side=144, coarse=48, smoothness=1.0)
    small = np.asarray(Image.fromarray(image).resize((48, 32), Image.Resampling.BOX))
    start = np.kron(colour_cut(small, refine(vague, small), config), np.ones((3, 3), bool))
    smooth = refine(vague, image)

    def finished(rounds):
        return colour_cut(image, smooth, dataclasses.replace(config, iterations=rounds), start)

    found = small_cut(image, vague, config)
    assert np.array_equal(found, finished(1))
    assert np.array_equal(small_cut(image, vague, dataclasses.replace(config, finish=2)), finished(2))
    others = [finished(2), finished(5), colour_cut(image, smooth, config)]
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
    real = colour_cut
    monkeypatch.setattr(
        photo_cut,
        "colour_cut",
        lambda image, *rest: real(image, *rest) if len(image) > 32 else np.full(image.shape[:2], level > 0.5),
    )
    assert np.array_equal(small_cut(image, vague, config), real(image, refine(vague, image), config))


@pytest.mark.parametrize("size", [(96, 144), (128, 192)])
def test_a_photograph_large_enough_gets_the_edge_of_its_finer_copy(size):
    image, vague = textured(288, 432)
    config = ColourCutConfig(side=96, fine=size[1], smoothness=1.0, prior=0.5)
    cut = small_cut(image, vague, config)
    small = np.asarray(Image.fromarray(image).resize((96, 64), Image.Resampling.BOX))
    smooth = resize(refine(vague, small), size)
    copy = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BOX))
    drawn = edge_cut(copy, smooth, cut, config)
    assert not np.array_equal(drawn, resize(cut.astype(np.float32), size) > 0.5)
    found = refine_by_colour(image, vague, config)
    assert np.array_equal(found, refine_by_colour(image, vague, config, cut))
    expected = fast_guided_filter(image, 2 / 3 * drawn + 1 / 3 * smooth, copy, 1)
    assert np.allclose(found, np.clip(expected, 0, 1), atol=1e-5)
    assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize("changes", [{"fine": 96}, {"fine": 143}, {"side": 288}])
def test_no_finer_copy_where_it_would_be_hardly_larger(changes):
    image, vague = textured(288, 432)
    config = dataclasses.replace(ColourCutConfig(side=96, fine=192, smoothness=1.0, prior=0.5), **changes)
    cut = small_cut(image, vague, config)
    smooth = refine(vague, np.asarray(Image.fromarray(image).resize(cut.shape[::-1], Image.Resampling.BOX)))
    expected = refine(2 / 3 * cut + 1 / 3 * smooth, image, "guided", radius=1.0)
    assert np.allclose(refine_by_colour(image, vague, config), expected, atol=1e-5)


def test_where_enlarging_loses_the_whole_cut_the_saliency_stands_alone():
    image, cut = np.full((133, 200, 3), 90, np.uint8), np.zeros((85, 128), bool)
    cut[27, 20] = True
    found = refine_by_colour(image, np.full((10, 15), 0.9), None, cut)
    assert np.allclose(found, 0.9, atol=0.01)


@pytest.mark.parametrize("shape", [(1, 400), (400, 1), (2, 700)])
def test_photographs_that_are_only_a_line_are_refined(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    saliency = np.linspace(0, 1, 16).reshape((1, 16) if shape[0] < shape[1] else (16, 1))
    found = refine_by_colour(image, saliency, ColourCutConfig(margin=0.0))
    assert found.shape == shape
    assert found.min() < 0.5 < found.max()
