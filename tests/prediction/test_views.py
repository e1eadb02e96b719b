"""Saliency as the mean over views: what each view shows, and that its saliency lies where the photograph is."""

import numpy as np
import pytest
from PIL import Image

from bright import Bright
from diffusionseg.prediction import PredictConfig
from diffusionseg.prediction.squeeze import border_of, squeeze


@pytest.fixture
def photo():
    """(60, 90, 3): bright to the left and, less so, at the bottom."""
    y, x = np.mgrid[:60, :90]
    grey = np.rint(200 * (1 - x / 89) + 50 * y / 59).astype(np.uint8)
    return np.repeat(grey[..., None], 3, 2)


def test_a_view_with_a_margin_shows_the_photograph_amid_its_mirror_image(photo):
    border = border_of(0.25, 30)
    assert border == 5
    square = squeeze(photo, 30, border)
    assert square.shape == (30, 30, 3)
    inner = np.asarray(Image.fromarray(photo).resize((20, 20), Image.Resampling.BILINEAR))
    assert np.array_equal(square[5:25, 5:25], inner)
    assert np.array_equal(square[5:25, 4], inner[:, 1])
    assert np.array_equal(square[29, 5:25], inner[-6])


@pytest.mark.parametrize("margin", [0.05, 0.15, 0.5])
def test_saliency_of_a_view_with_a_margin_lies_where_the_photograph_is(photo, margin):
    plain = Bright().saliency([photo])[0]
    seen = Bright().saliency([photo], margins=[margin])[0]
    assert seen.shape == plain.shape
    # A smaller picture of a smooth photograph says the same but for the outermost pixels.
    off = np.abs(seen - plain)
    assert off.max() < 0.05
    assert off[3:-3, 3:-3].max() < 0.025
    # A shift by one of the 32 pixels would show.
    assert np.abs(plain[:, 1:] - plain[:, :-1]).mean() > 0.02 > 4 * np.abs((seen - plain)[3:-3, 3:-3]).mean()


def test_the_mean_is_over_margins_and_mirror_images(photo):
    model = Bright()
    plain, wide = (model.saliency([photo], margins=[m])[0] for m in (0, 0.3))
    assert np.array_equal(model.saliency([photo])[0], plain)
    assert np.allclose(model.saliency([photo], margins=(0, 0.3))[0], (plain + wide) / 2, atol=1e-6)
    mirrored = [model.saliency([photo[:, ::-1]], margins=[m])[0][:, ::-1] for m in (0, 0.3)]
    expected = np.mean([plain, wide, *mirrored], axis=0)
    assert np.allclose(model.saliency([photo], True, (0, 0.3))[0], expected, atol=1e-6)


def test_predict_averages_as_its_settings_say(photo):
    model = Bright()
    config = PredictConfig(refine="none", margins=(0.0, 0.3))
    both = np.asarray(model.predict(photo, config=config)[0].saliency)
    apart = [model.predict(photo, config=PredictConfig(refine="none", margins=(m,)))[0].saliency for m in (0.0, 0.3)]
    assert not np.array_equal(apart[0], apart[1])
    assert np.allclose(both, np.mean(apart, axis=0), atol=1e-5)


@pytest.mark.parametrize("margins", [(), (-0.1,), (0.0, 0.91)])
def test_margins_out_of_range_are_named(margins):
    with pytest.raises(ValueError, match=r"--margin must be in 0 … 0\.9, at least one"):
        PredictConfig(margins=margins)
