"""The bilateral solver's inner parts against their definitions."""

import dataclasses

import numpy as np
import pytest

from diffusionseg.masks import (
    BilateralConfig,
    bilateral_solver,
    bilateral_system,
    guided_filter,
    refine,
    resize,
    solve_bilateral,
    working_copy,
)
from diffusionseg.masks.bilateral_grid import bilateral_grid, bistochastize, pixel_cells
from diffusionseg.masks.guided import fast_guided_filter


@pytest.fixture
def image():
    """Smooth colours, so that neighbouring cells are occupied, and a little noise."""
    y, x = np.mgrid[:40, :56]
    colours = np.stack([4 * y + x, 3 * x, 120 + 2 * y - x], axis=-1) + np.random.default_rng(0).integers(
        0, 9, (40, 56, 3)
    )
    return np.clip(colours, 0, 255).astype(np.uint8)


CONFIG = BilateralConfig(sigma_spatial=8.0)


def test_every_pixel_is_in_one_cell_and_cells_hold_equal_pixels(image):
    splat = bilateral_grid(image, CONFIG).splat.toarray()
    cells = pixel_cells(image, CONFIG)
    assert (splat.sum(0) == 1).all()
    assert len(splat) == len(np.unique(cells, axis=1).T)
    for row in splat[::7]:
        assert (np.ptp(cells[:, row > 0], axis=1) == 0).all()


def test_blur_links_exactly_the_cells_one_step_apart(image):
    grid = bilateral_grid(image, CONFIG)
    places = np.unique(pixel_cells(image, CONFIG), axis=1).T.astype(int)
    steps = np.abs(places[:, None] - places).sum(-1)
    expected = np.where(steps == 1, 1.0, 0.0) + np.diag(np.full(len(places), 10.0))
    assert (steps == 1).sum() > len(places)
    assert np.array_equal(grid.blur.toarray(), expected)


def test_grey_has_neutral_chroma_and_its_own_luma():
    grey = np.full((1, 1, 3), 100, np.uint8)
    assert pixel_cells(grey, BilateralConfig()).ravel().tolist() == [0, 0, 6, 16, 16]


def test_balanced_blur_has_the_occupancy_as_row_sums(image):
    grid = bilateral_grid(image, CONFIG)
    balance, mass = bistochastize(grid, 100)
    rows = (balance[:, None] * grid.blur.toarray() * balance).sum(1)
    assert np.allclose(rows, mass)
    assert np.allclose(mass / grid.splat.sum(axis=1), 1.0, atol=0.02)


def test_solution_is_that_of_the_dense_linear_system(image):
    config = dataclasses.replace(CONFIG, rtol=1e-12, max_iterations=5000)
    rng = np.random.default_rng(1)
    target, trust = rng.random(image.shape[:2]), rng.random(image.shape[:2])
    grid = bilateral_grid(image, config)
    splat = grid.splat.toarray()
    balance, mass = bistochastize(grid, config.balancing_iterations)
    smooth = np.diag(mass) - balance[:, None] * grid.blur.toarray() * balance
    matrix = config.smoothness * smooth + np.diag(splat @ trust.ravel())
    expected = splat.T @ np.linalg.solve(matrix, splat @ (trust * target).ravel())
    solved = bilateral_solver(image, target, trust, config)
    assert np.allclose(solved.ravel(), expected, atol=1e-6)


def test_one_system_serves_all_maps_of_an_image(image):
    system = bilateral_system(image)
    for seed in range(2):
        target = np.random.default_rng(seed).random(image.shape[:2])
        assert np.array_equal(solve_bilateral(system, target), bilateral_solver(image, target))


def test_refine_takes_the_system_of_the_working_copy():
    large = np.random.default_rng(0).integers(0, 255, (30, 2100, 3)).astype(np.uint8)
    system = bilateral_system(working_copy(large))
    assert system.shape == (10, 700)
    saliency = np.linspace(0, 1, 32).reshape(4, 8)
    assert np.array_equal(refine(saliency, large, "bilateral", bilateral=system), refine(saliency, large, "bilateral"))


def test_distrusted_pixels_take_their_value_from_their_surroundings():
    image = np.full((32, 32, 3), 90, np.uint8)
    target = np.full((32, 32), 0.25)
    target[:16, :16] = 1.0
    trust = np.where(target == 1.0, 0.0, 1.0)
    assert np.allclose(bilateral_solver(image, target, trust), 0.25, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"target": np.zeros((3, 3))}, "target"),
        ({"confidence": 0.0}, "confidence"),
        ({"confidence": np.full((4, 4), 2.0)}, "confidence"),
        ({"image": np.zeros((4, 4, 3))}, "image"),
    ],
)
def test_wrong_arguments_are_named(arguments, name):
    good = {"image": np.zeros((4, 4, 3), np.uint8), "target": np.zeros((4, 4))}
    with pytest.raises(ValueError, match=name):
        bilateral_solver(**{**good, **arguments})


@pytest.mark.parametrize("name", ["sigma_spatial", "smoothness", "rtol", "max_iterations", "confidence"])
def test_constants_out_of_range_are_named(name):
    with pytest.raises(ValueError, match=name):
        dataclasses.replace(BilateralConfig(), **{name: -1})


def test_fast_guided_filter_is_near_the_full_one():
    y, x = np.mgrid[:600, :800]
    inside = np.hypot(y - 300, x - 400) < 180
    image = np.where(inside[..., None], [200, 100, 50], [25, 75, 180]).astype(np.uint8)
    coarse = resize(inside.astype(float), (30, 40))
    full = guided_filter(image / 255.0, resize(coarse, (600, 800)), 12, 1e-3)
    fast = fast_guided_filter(image, coarse, image[1::4, 1::4], 3)
    assert fast.dtype == np.float32
    assert np.abs(full - fast).mean() < 0.01
    assert np.array_equal(fast > 0.5, inside)
