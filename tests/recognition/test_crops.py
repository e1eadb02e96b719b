"""Crops that an encoder learns from are parts of a photograph, some with a rectangle of another, drawn from a generator
alone."""

from dataclasses import replace

import numpy as np
import torch

from diffusionseg.recognition import EncoderConfig, crops
from diffusionseg.recognition.crops import cut_in


def drawn(image, seed=3, count=256, **changed):
    """Crops of side 32 from an image (H, W, 3)."""
    settings = replace(EncoderConfig(), **changed)
    return crops(np.stack([image] * count), 32, settings, torch.Generator().manual_seed(seed))


def test_crops_are_of_the_generator_alone():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    found = drawn(image)
    assert found.shape == (256, 3, 32, 32)
    assert 0 <= found.min() < found.max() <= 1
    assert torch.equal(found, drawn(image))
    assert not torch.equal(found, drawn(image, seed=4))


def test_crops_lie_anywhere_stretched_and_mirrored():
    # Grey, and darker than white by what no change of colour can clip.
    slope = (80 + np.add.outer(np.arange(64), np.arange(64)) / 2).astype(np.uint8)
    found = drawn(np.stack([slope] * 3, -1), area=(0.2, 0.25))[:, 0]
    right, down = found[:, 16, 24] - found[:, 16, 8], found[:, 24, 16] - found[:, 8, 16]
    assert (down > 0).all()
    assert 0.4 < (right < 0).float().mean() < 0.6
    assert 0.12 < (right.abs() / down).log().std() < 0.22
    corner = np.zeros((64, 64, 3), np.uint8)
    corner[56:, 56:] = 255
    holds = [
        (drawn(turned, area=(0.2, 0.25)).amax((1, 2, 3)) > 0.2).float().mean()
        for turned in (corner, corner[::-1, ::-1])
    ]
    assert all(0.03 < share < 0.4 for share in holds)


def test_a_crop_is_as_large_as_is_asked():
    slope = np.repeat((80 + np.arange(64)).astype(np.uint8)[:, None, None], 64, 1).repeat(3, 2)
    whole, parts = (drawn(slope, area=area)[:, 0] for area in ((1.0, 1.0), (0.2, 0.25)))
    spread = [float((each.amax((1, 2)) - each.amin((1, 2))).mean()) for each in (whole, parts)]
    assert 0.4 < spread[1] / spread[0] < 0.6


def test_crops_are_recoloured():
    plain = drawn(np.full((64, 64, 3), 120, np.uint8))[:, 0].mean((1, 2)) / (120 / 255)
    assert plain.min() < 0.65
    assert plain.max() > 1.35
    steps = np.full((64, 64, 3), 100, np.uint8)
    steps[::2] = 140
    contrast = drawn(steps, area=(1.0, 1.0))[:, 0]
    contrast = contrast.std((1, 2)) / contrast.mean((1, 2))
    assert contrast.max() / contrast.min() > 1.8
    coloured = drawn(np.full((64, 64, 3), (140, 100, 60), np.uint8)).mean((2, 3))
    difference = (coloured[:, 0] - coloured[:, 2]) / coloured[:, 1]
    assert 0.04 < (difference < 1e-3).float().mean() < 0.2
    assert difference.max() > 1.0
    assert difference[difference > 1e-3].min() < 0.5


def numbered(count=2000, side=32):
    """Pictures (count, 3, side, side) each of its own number."""
    return torch.arange(float(count))[:, None, None, None].repeat(1, 3, side, side)


def test_a_rectangle_of_another_picture_is_cut_in():
    pictures = numbered()
    mixed, others, own = cut_in(pictures, 0.5, torch.Generator().manual_seed(3))
    assert torch.equal(pictures, numbered())
    assert (others != torch.arange(2000)).all()
    for picture, other, share, number in zip(mixed, others, own, range(2000), strict=True):
        cut = picture[0] == other
        assert torch.equal(picture, torch.where(cut, float(other), float(number)).expand(3, -1, -1))
        assert torch.equal(cut, cut.any(0) & cut.any(1)[:, None])
        assert share == 1 - cut.float().mean()
    assert 0.45 < (own < 1).float().mean() < 0.55
    assert 0.6 < own[own < 1].mean() < 0.75
    assert own.min() < 0.1
    middle = (mixed[:, 0, 12:20, 12:20] == others[:, None, None]).float().mean()
    corner = (mixed[:, 0, :8, :8] == others[:, None, None]).float().mean()
    assert corner < middle
    assert corner > 0.03


def test_rectangles_are_of_the_generator_alone_and_as_many_as_asked():
    first, again, other = (cut_in(numbered(64), 1.0, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    assert (first[2] < 1).float().mean() > 0.9
    drawn = torch.Generator().manual_seed(1)
    before = drawn.get_state()
    pictures, _, own = cut_in(numbered(64), 0.0, drawn)
    assert torch.equal(pictures, numbered(64))
    assert (own == 1).all()
    assert torch.equal(drawn.get_state(), before)
