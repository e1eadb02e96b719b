"""Guided filter, bilateral solver, resizing and refinement."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from diffusionseg.masks import TOKENCUT, BilateralConfig, bilateral_solver, guided_filter, refine, resize
from diffusionseg.masks.guided import fast_guided_filter


def naive_guided(guide, src, radius, eps):
    """Equations (5), (6) and (8) of He et al. 2013 pixel by pixel."""
    height, width = src.shape
    windows = {}
    for y in range(height):
        for x in range(width):
            part = (slice(max(0, y - radius), y + radius + 1), slice(max(0, x - radius), x + radius + 1))
            colours, values = guide[part].reshape(-1, 3), src[part].ravel()
            mean = colours.mean(0)
            covariance = np.cov(colours.T, bias=True) + eps * np.eye(3)
            a = np.linalg.solve(covariance, (colours * values[:, None]).mean(0) - mean * values.mean())
            windows[y, x] = a, values.mean() - a @ mean
    result = np.zeros_like(src)
    for y in range(height):
        for x in range(width):
            near = [
                windows[i, j]
                for i in range(max(0, y - radius), min(height, y + radius + 1))
                for j in range(max(0, x - radius), min(width, x + radius + 1))
            ]
            result[y, x] = np.mean([a for a, _ in near], 0) @ guide[y, x] + np.mean([b for _, b in near])
    return result


@settings(max_examples=10, deadline=None)
@given(height=st.integers(3, 9), width=st.integers(3, 9), radius=st.integers(1, 3), seed=st.integers(0, 99))
def test_guided_filter_equals_its_definition(height, width, radius, seed):
    rng = np.random.default_rng(seed)
    guide, src = rng.random((height, width, 3)), rng.random((height, width))
    assert np.allclose(guided_filter(guide, src, radius, 1e-2), naive_guided(guide, src, radius, 1e-2), atol=1e-8)


def test_guided_filter_keeps_constants_and_affine_maps_of_the_guide():
    guide = np.random.default_rng(0).random((20, 30, 3))
    assert np.allclose(guided_filter(guide, np.full((20, 30), 0.3), 3, 1e-3), 0.3)
    affine = 0.2 + 0.5 * guide[..., 1]
    assert np.abs(guided_filter(guide, affine, 3, 1e-8) - affine).max() < 1e-4


def edge_image(side=96):
    """Two colours with a slanted edge, noise on top, and which side is the object."""
    y, x = np.mgrid[:side, :side]
    inside = x + y // 3 > side * 0.6
    colours = np.where(inside[..., None], [200.0, 90.0, 60.0], [40.0, 110.0, 170.0])
    noisy = colours + np.random.default_rng(0).normal(0, 4, colours.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8), inside


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize("method", ["guided", "bilateral"])
def test_refinement_brings_a_coarse_map_to_the_edges_of_the_image(method):
    image, inside = edge_image()
    coarse = resize(inside.astype(np.float64), (6, 6))
    plain, refined = (refine(coarse, image, m) > 0.5 for m in ("none", method))
    assert iou(refined, inside) > iou(plain, inside)
    assert iou(refined, inside) > 0.95


def test_refined_map_has_the_size_and_range_of_a_saliency():
    image, inside = edge_image()
    for method in ("none", "guided", "bilateral"):
        full = refine(inside[:5, :7].astype(np.float32), image, method)
        assert full.shape == image.shape[:2]
        assert full.dtype == np.float32
        assert 0 <= full.min() <= full.max() <= 1


def test_the_guided_filter_is_fitted_on_a_smaller_copy_where_its_radius_is_larger_than_two_pixels():
    rng = np.random.default_rng(0)
    image, coarse = rng.integers(0, 256, (120, 160, 3)).astype(np.uint8), rng.uniform(0.3, 0.7, (30, 40))
    enlarged = resize(coarse, (120, 160))
    near = guided_filter(image / 255.0, enlarged, 2, 1e-3)
    assert np.allclose(refine(coarse, image, radius=0.5), near, atol=1e-6)
    copy = np.asarray(Image.fromarray(image).resize((53, 40), Image.Resampling.BOX))
    fitted = fast_guided_filter(image, coarse, copy, 2)
    assert np.allclose(refine(coarse, image, radius=1.5), fitted, atol=1e-6)
    assert not np.allclose(fitted, guided_filter(image / 255.0, enlarged, 6, 1e-3), atol=1e-6)


def test_bilateral_solver_keeps_a_constant_map():
    image, _ = edge_image(48)
    solved = bilateral_solver(image, np.full((48, 48), 0.7))
    assert np.allclose(solved, 0.7, atol=0.02)


def test_bilateral_defaults_are_those_of_tokencut():
    config = BilateralConfig()
    assert config == TOKENCUT
    assert (config.sigma_spatial, config.sigma_luma, config.sigma_chroma, config.smoothness) == (16, 16, 8, 256)


def test_resize_agrees_with_pillow():
    values = np.random.default_rng(0).random((13, 17)).astype(np.float32)
    for size in ((26, 34), (7, 5), (13, 40)):
        expected = np.asarray(Image.fromarray(values).resize(size[::-1], Image.Resampling.BILINEAR))
        assert np.allclose(resize(values, size), expected, atol=1e-5)


def test_wrong_arguments_are_named():
    image, _ = edge_image(16)
    with pytest.raises(ValueError, match="method"):
        refine(np.zeros((4, 4)), image, "magic")
    with pytest.raises(ValueError, match="saliency"):
        refine(np.full((4, 4), 2.0), image)
    with pytest.raises(ValueError, match="radius"):
        guided_filter(np.zeros((4, 4)), np.zeros((4, 4)), 0, 1e-3)
    for radius, eps, name in ((0, 1e-3, "radius"), (1, 0.0, "eps"), (1, np.nan, "eps")):
        with pytest.raises(ValueError, match=name):
            fast_guided_filter(image, np.zeros((4, 4)), image[::2, ::2], radius, eps)
    with pytest.raises(ValueError, match="guide"):
        guided_filter(np.full((4, 4), 2.0), np.zeros((4, 4)), 1, 1e-3)


@pytest.mark.parametrize("method", ["none", "guided", "bilateral"])
def test_large_photographs_take_few_bytes_a_pixel(method):
    image = np.zeros((2000, 2500, 3), np.uint8)
    image[500:1500, 500:1500] = 200
    saliency = np.zeros((32, 32), np.float32)
    saliency[8:24, 6:20] = 1
    tracemalloc.start()
    refined = refine(saliency, image, method)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refined.shape == (2000, 2500)
    assert peak < 40 * refined.size
