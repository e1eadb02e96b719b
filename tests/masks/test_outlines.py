"""Polygons give back exactly the pixels they were traced from, drawn as their readers draw them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageDraw
from scipy import ndimage

from diffusionseg.masks import centre_polygons, corner_polygons
from pycoco import drawn

MASKS = st.one_of(
    hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)),
    # Mostly object: parts with many holes.
    hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 5).map(bool)),
)


def drawn_by_pycocotools(polygons, shape):
    return drawn([p.ravel().tolist() for p in polygons], shape)


def drawn_by_pillow(polygons, shape):
    picture = Image.new("L", shape[::-1])
    for polygon in polygons:
        ImageDraw.Draw(picture).polygon([tuple(p) for p in np.resize(polygon, (max(3, len(polygon)), 2)).tolist()], 1)
    return np.asarray(picture) > 0


@settings(max_examples=300, deadline=None)
@given(MASKS)
def test_polygons_give_their_mask_back(mask):
    assert np.array_equal(drawn_by_pycocotools(corner_polygons(mask), mask.shape), mask)
    assert np.array_equal(drawn_by_pillow(centre_polygons(mask), mask.shape), mask)


def test_opencv_draws_the_same():
    cv2 = pytest.importorskip("cv2")
    rng = np.random.default_rng(0)
    for _ in range(200):
        mask = rng.random(rng.integers(1, 12, 2)) < rng.choice([0.3, 0.6, 0.9])
        canvas = np.zeros(mask.shape, np.uint8)
        for polygon in centre_polygons(mask):
            cv2.fillPoly(canvas, [polygon.astype(np.int32)], 1)
        assert np.array_equal(canvas > 0, mask)


def test_a_large_mask_with_parts_in_holes_of_parts():
    noise = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(240, 320)), 4)
    mask = np.abs(noise) < 0.5 * noise.std()
    outer, holes = ndimage.label(mask)[1], ndimage.label(~mask, np.ones((3, 3)))[1]
    assert outer > 5
    assert holes > 5
    polygons = corner_polygons(mask)
    assert len(polygons) == outer
    assert np.array_equal(drawn_by_pycocotools(polygons, mask.shape), mask)
    assert np.array_equal(drawn_by_pillow(centre_polygons(mask), mask.shape), mask)


def test_corners_are_few_and_where_they_should_be():
    mask = np.zeros((6, 8), bool)
    mask[1:5, 2:7] = True
    assert sorted(corner_polygons(mask)[0].tolist()) == [[2, 1], [2, 5], [7, 1], [7, 5]]
    assert sorted(centre_polygons(mask)[0].tolist()) == [[2, 1], [2, 4], [6, 1], [6, 4]]
    mask[2:4, 4] = False
    (polygon,) = corner_polygons(mask)
    # A slit leads from the left side to the hole and back.
    assert {(2, 2), (4, 2), (5, 4)} <= {tuple(p) for p in polygon.tolist()}
    assert corner_polygons(np.zeros((3, 3), bool)) == centre_polygons(np.zeros((3, 3), bool)) == []
    assert centre_polygons(np.eye(2, dtype=bool))[1].tolist() == [[1, 1]]
