"""The methods that need no generator."""

import numpy as np
import pytest

from diffusionseg.baselines import centre, grabcut


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def test_centre_is_one_half_on_the_ellipse():
    hill = centre((100, 200))
    y, x = np.mgrid[:100, :200]
    radius = np.hypot((y + 0.5) / 50 - 1, (x + 0.5) / 100 - 1)
    assert (hill[radius < 0.7 - 1e-9] > 0.5).all()
    assert (hill[radius > 0.7 + 1e-9] < 0.5).all()
    assert hill.max() > 0.98
    assert hill[0, 0] == 0
    assert np.allclose(hill, hill[::-1, ::-1])
    with pytest.raises(ValueError, match="share"):
        centre((4, 4), 0)


def test_grabcut_finds_the_disc_and_nothing_outside_the_rectangle(disc):
    image, mask = disc
    assert iou(grabcut(image) > 0.5, mask) > 0.95
    outside = image.copy()
    outside[:6, :30] = [240, 240, 240]
    found = grabcut(outside) > 0.5
    assert iou(found, mask) > 0.95
    assert not found[:6].any()


def test_grabcut_of_a_large_photograph_works_on_a_smaller_one(disc):
    image, mask = disc
    small = grabcut(image, side=40) > 0.5
    assert small.shape == (30, 40)
    assert iou(small, mask[1::2, 1::2]) > 0.9


def test_grabcut_of_one_colour_finds_no_border():
    found = grabcut(np.full((20, 30, 3), 90, np.uint8))
    assert found.shape == (20, 30)
    assert len(np.unique(found)) <= 2
