"""From attention maps to a pseudo-mask."""

import dataclasses

import numpy as np
import pytest

from diffusionseg.attentioncut import AttentionCutConfig, ColourCutConfig, attention_cut


def scene(side=16, scale=4, noise=0.3, seed=0):
    """A bright disc on dark ground: noisy cross map, self-attention that knows the disc, image, and the true mask."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    disc = (y - side * 0.45) ** 2 + (x - side * 0.55) ** 2 < (side * 0.28) ** 2
    cross = np.where(disc, 1.0, 0.3) + noise * rng.standard_normal(disc.shape)
    same = disc.ravel()[:, None] == disc.ravel()
    affinity = same + 0.05
    affinity = affinity / affinity.sum(1, keepdims=True)
    fine = disc.repeat(scale, 0).repeat(scale, 1)
    image = np.where(fine[..., None], [220, 180, 60], [30, 60, 90]).astype(np.uint8)
    return np.clip(cross, 0, None), affinity, image, disc, fine


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def test_the_cut_repairs_a_noisy_cross_attention():
    cross, affinity, image, disc, fine = scene()
    result = attention_cut([cross], [affinity], [(16, 16)], image)
    assert iou(result.probability > 0.5, disc) < 0.8
    assert iou(result.labels, disc) > 0.92
    decided = result.pseudo_mask != 128
    assert iou(result.pseudo_mask == 255, fine & decided) > 0.95
    assert decided.mean() > 0.6
    assert set(np.unique(result.pseudo_mask)) <= {0, 128, 255}


def test_colours_repair_what_the_attention_misses():
    cross, affinity, image, _, fine = scene()
    cross[:, 9:] = 0.3  # blind to the right half of the object
    found = {
        refine: attention_cut([cross], [affinity], [(16, 16)], image, AttentionCutConfig(refine=refine, smoothness=0.5))
        for refine in ("guided", "cut")
    }
    masks = {refine: result.pseudo_mask == 255 for refine, result in found.items()}
    assert iou(masks["guided"], fine) < 0.6
    assert iou(masks["cut"], fine) > 0.95
    assert np.array_equal(found["guided"].labels, found["cut"].labels)


def test_prior_is_what_the_attention_counts_in_a_photograph_of_any_shape():
    # Two equal discs in a wide image; the attention is to the left one.
    y, x = np.mgrid[:150, :300]
    left, right = ((y - 75) ** 2 + (x - middle) ** 2 < 35**2 for middle in (90, 210))
    image = np.where((left | right)[..., None], [220, 180, 60], [30, 60, 90]).astype(np.uint8)
    cross = left[5::10, 10::20].astype(float)
    affinity = np.eye(cross.size)
    masks = []
    for prior in (0.25, 5.0):
        config = AttentionCutConfig(colour=ColourCutConfig(prior=prior))
        masks.append(attention_cut([cross], [affinity], [cross.shape], image, config).pseudo_mask == 255)
    assert iou(masks[0], left | right) > 0.9
    assert iou(masks[1], left) > 0.9


def test_colours_find_nothing_where_the_attention_tells_nothing_apart():
    _, affinity, image, *_ = scene()
    result = attention_cut([np.ones((16, 16))], [affinity], [(16, 16)], image)
    assert not (result.pseudo_mask == 255).any()


def test_an_unknown_refinement_is_an_error():
    with pytest.raises(ValueError, match="--refine must be one of guided, cut, got 'bilateral'"):
        AttentionCutConfig(refine="bilateral")


def test_without_smoothness_the_cut_is_the_thresholded_unary():
    cross, affinity, image, *_ = scene()
    result = attention_cut([cross], [affinity], [(16, 16)], image, AttentionCutConfig(smoothness=0.0))
    assert np.array_equal(result.labels, result.probability > 0.5)
    assert result.agreement == 1.0
    assert result.energy["pairwise"] == 0.0


def test_layers_of_several_non_square_grids():
    rng = np.random.default_rng(0)
    cross = [rng.random((8, 12)), rng.random((4, 6))]
    affinity = [np.full((24, 24), 1 / 24)]
    result = attention_cut(cross, affinity, [(4, 6)], np.zeros((32, 48, 3), np.uint8))
    assert result.labels.shape == (8, 12)
    assert result.pseudo_mask.shape == (32, 48)
    assert result.energy["total"] == pytest.approx(result.energy["unary"] + result.energy["pairwise"])


def test_constant_attention_gives_an_empty_cut():
    result = attention_cut([np.ones((4, 4))], [np.full((16, 16), 1 / 16)], [(4, 4)], np.zeros((16, 16, 3), np.uint8))
    assert not result.labels.any()
    assert (result.pseudo_mask != 255).all()


def test_one_position_only():
    result = attention_cut([np.ones((1, 1))], [np.ones((1, 1))], [(1, 1)], np.zeros((8, 8, 3), np.uint8))
    assert result.labels.shape == (1, 1)


def test_wrong_image_is_named():
    with pytest.raises(ValueError, match="image must be"):
        attention_cut([np.ones((2, 2))], [np.full((4, 4), 0.25)], [(2, 2)], np.zeros((8, 8), np.uint8))


MAP, SELF = np.ones((2, 2)), np.full((4, 4), 0.25)


@pytest.mark.parametrize(
    ("cross", "affinities", "grids", "said"),
    [
        ([np.ones(4)], [SELF], [(2, 2)], r"cross\[0\] must be \(h, w\), got \(4,\)"),
        ([MAP, np.ones((0, 2))], [SELF], [(2, 2)], r"cross\[1\] must be"),
        ([-MAP], [SELF], [(2, 2)], r"cross\[0\] must be finite"),
        ([MAP], [SELF], [(2, 2), (2, 2)], "grids must give one grid for each of the 1 maps"),
        ([MAP], [SELF], [(2, 3)], r"self_attention\[0\] must be 6 squared"),
        ([MAP], [np.full((4, 4), np.nan)], [(2, 2)], r"self_attention\[0\] must be finite"),
        ([MAP], [SELF], [(4,)], r"grids\[0\] must be \(h, w\)"),
        ([MAP], [SELF], [(0, 4)], r"grids\[0\] must be \(h, w\)"),
        ([], [SELF], [(2, 2)], "cross: no map"),
        ([MAP], [], [], "self_attention: no map"),
    ],
)
def test_wrong_maps_are_named(cross, affinities, grids, said):
    with pytest.raises(ValueError, match=said):
        attention_cut(cross, affinities, grids, np.zeros((8, 8, 3), np.uint8))


def test_extreme_constants_within_their_ranges_give_a_cut_without_warnings():
    cross, affinity, image, disc, _ = scene()
    config = AttentionCutConfig(temperature=1e-6, sigma=1e-6)
    assert iou(attention_cut([cross], [affinity], [(16, 16)], image, config).labels, disc) > 0.5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 0.0),
        ("clip", 0.5),
        ("smoothness", -1.0),
        ("sigma", 0.0),
        ("band", (0.7, 0.6)),
        ("propagate", 99),
        ("swap_rim", 1.5),
    ],
)
def test_constants_out_of_range_are_named(field, value):
    with pytest.raises(ValueError, match=field):
        dataclasses.replace(AttentionCutConfig(), **{field: value})


def test_a_cut_that_covers_the_rim_is_swapped_with_the_object_inside():
    cross, affinity, image, disc, _ = scene()
    kept = attention_cut([cross], [affinity], [(16, 16)], image)
    inverse = cross.max() - cross
    swapped = attention_cut([inverse], [affinity], [(16, 16)], image)
    assert not kept.swapped
    assert swapped.swapped
    assert iou(swapped.labels, disc) > 0.8
    assert (swapped.pseudo_mask[0] == 0).all()
    # Both sides of a cut are as likely before as after.
    assert (swapped.probability[swapped.labels] > 0.5).mean() > 0.8
    never = attention_cut([inverse], [affinity], [(16, 16)], image, AttentionCutConfig(swap_rim=1.0))
    assert not never.swapped
    assert np.array_equal(never.labels, ~swapped.labels)
    assert never.energy == swapped.energy
    assert never.confidence == pytest.approx(swapped.confidence)
    # An object that reaches the border at one side keeps its side.
    half = np.zeros((16, 16))
    half[:7] = 1
    assert not attention_cut([half], [np.eye(256)], [(16, 16)], image).swapped
