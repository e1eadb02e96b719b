"""Parts of a mask, their boxes, and the pictures made of them."""

import io

import numpy as np
import pytest
from PIL import Image

from diffusionseg.masks import (
    cutout,
    fill_holes,
    largest_component,
    mask_boxes,
    mask_picture,
    overlay,
    saliency_picture,
)


@pytest.fixture
def mask():
    """A 4×3 block with a hole, a 2×2 block, and a single pixel."""
    m = np.zeros((12, 16), bool)
    m[1:5, 2:5] = True
    m[2, 3] = False
    m[8:10, 10:12] = True
    m[11, 0] = True
    return m


def test_largest_part_and_holes(mask):
    assert largest_component(mask).sum() == 11
    assert fill_holes(mask).sum() == mask.sum() + 1
    assert not largest_component(np.zeros((3, 3), bool)).any()


def test_parts_that_touch_at_a_corner_are_one():
    assert largest_component(np.eye(4, dtype=bool)).sum() == 4


def test_single_box_is_that_of_the_largest_part(mask):
    assert mask_boxes(mask) == ([(2, 1, 5, 5)], [1.0])


def test_several_boxes_are_ordered_by_summed_saliency(mask):
    saliency = np.where(mask, 0.1, 0.0)
    saliency[8:10, 10:12] = 0.9
    boxes, scores = mask_boxes(mask, saliency, multiple=True, min_area=2 / mask.size)
    assert boxes == [(10, 8, 12, 10), (2, 1, 5, 5)]
    assert scores == pytest.approx([0.9, 0.1])


def test_empty_mask_has_no_box():
    assert mask_boxes(np.zeros((4, 4), bool)) == ([], [])


def test_pictures(mask):
    image = np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    assert set(np.unique(np.asarray(mask_picture(mask)))) == {0, 255}
    levels = np.asarray(saliency_picture(np.linspace(0, 1, 12 * 16).reshape(12, 16)))
    assert (levels.min(), levels.max()) == (0, 255)
    cut = cutout(image, mask)
    assert cut.mode == "RGBA"
    assert np.array_equal(np.asarray(cut)[..., 3], mask * np.uint8(255))
    assert np.array_equal(np.asarray(cut)[mask][:, :3], image[mask])
    shown = np.asarray(overlay(Image.fromarray(image), mask, boxes=[(2, 1, 5, 5)]))
    assert shown.shape == image.shape
    assert not np.array_equal(shown, image)


def test_a_picture_on_its_side_is_turned_upright(mask):
    pixels = np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(pixels)).save(file, "PNG", exif=exif)
    with Image.open(file) as image:
        assert image.size == (12, 16)
        assert np.array_equal(np.asarray(cutout(image, mask)), np.asarray(cutout(pixels, mask)))
        assert np.array_equal(np.asarray(overlay(image, mask)), np.asarray(overlay(pixels, mask)))


def test_numbers_are_no_mask():
    with pytest.raises(ValueError, match="bool"):
        mask_boxes(np.array([[0, 128, 255]]))
