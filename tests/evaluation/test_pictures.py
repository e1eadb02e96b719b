"""Predictions and ground truth from files: codings are read as they are meant, or named and refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffusionseg.data import ImageError
from diffusionseg.data.grey import voc_palette
from diffusionseg.evaluation.pictures import read_mask, read_saliency


def save(path: Path, *levels: int, dtype=np.uint8, palette=None) -> Path:
    """A picture of 8x6 pixels that has these levels in turn."""
    image = Image.fromarray(np.resize(np.array(levels, dtype), (6, 8)))
    if palette is not None:
        image.putpalette(palette.tobytes())
    image.save(path)
    return path


def test_a_mask_coded_0_1_is_ground_truth_but_no_saliency(tmp_path):
    path = save(tmp_path / "a.png", 0, 1)
    assert read_mask(path).mean() == 0.5
    with pytest.raises(
        ImageError, match=r"a\.png: has no level above 1 of 255: a mask coded 0/1, .*save it as 0 and 255"
    ):
        read_saliency(path, (6, 8))
    with pytest.raises(ImageError, match=r"coded 0/255, .*save it as 0 and 65535"):
        read_saliency(save(tmp_path / "b.png", 0, 255, dtype=np.uint16), (6, 8))


def test_predictions_that_are_empty_faint_or_of_one_bit_are_read(tmp_path):
    assert not read_saliency(save(tmp_path / "empty.png", 0), (6, 8))[0].any()
    assert read_saliency(save(tmp_path / "faint.png", 0, 1, 2), (6, 8))[0].max() == 2
    Image.fromarray(np.eye(6, 8) > 0).save(tmp_path / "bit.png")
    assert read_saliency(tmp_path / "bit.png", (6, 8))[0].max() == 255
    assert read_saliency(save(tmp_path / "16.png", 0, 65535, dtype=np.uint16), (6, 8))[0].max() == 1.0


def test_labels_are_ground_truth_once_void_is_decided_and_never_a_prediction(tmp_path):
    path = save(tmp_path / "voc.png", 0, 15, 255, palette=voc_palette())
    with pytest.raises(ImageError, match=r"voc\.png: labels of VOC with void \(255\); decide with --undecided"):
        read_mask(path)
    assert read_mask(path, "background").mean() == pytest.approx(1 / 3)
    with pytest.raises(ImageError, match="palette of labels, no saliency"):
        read_saliency(path, (6, 8))
    with pytest.raises(ImageError, match="labels of VOC with void"):
        read_mask(path, "protocol")


def test_grey_ground_truth_is_thresholded_by_choice_or_left_to_the_protocol(tmp_path):
    path = save(tmp_path / "soft.png", 0, 100, 200, 255)
    with pytest.raises(
        ImageError, match=r"soft\.png: 4 grey levels; decide with --undecided protocol or object or half or background"
    ):
        read_mask(path)
    assert [read_mask(path, choice).mean() for choice in ("object", "half", "background")] == [0.75, 0.5, 0.25]
    assert np.unique(read_mask(path, "protocol")).tolist() == [0, 100, 200, 255]
    assert read_mask(save(tmp_path / "binary.png", 0, 1), "protocol").dtype == np.bool_
    # Of a soft set: one level, of few votes.
    assert np.unique(read_mask(save(tmp_path / "faint.png", 0, 51), "protocol")).tolist() == [0, 51]


def test_a_turned_prediction_is_named(tmp_path):
    with pytest.raises(ImageError, match="is 8x6, its ground truth 6x8: it is turned"):
        read_saliency(save(tmp_path / "a.png", 0, 255), (8, 6))
