"""The quality gate."""

import numpy as np
import pytest

from diffusionseg.synthesis.gate import GateConfig, Quality, measure, reject_reason

GOOD = Quality(area=0.2, border=0.05, ignore=0.1, agreement=0.8, confidence=0.9)


def test_measurements_by_hand():
    mask = np.zeros((4, 5), np.uint8)
    mask[0, :2] = 255
    mask[1, 1] = 255
    mask[2, 2] = 128
    quality = measure(mask, agreement=0.5, confidence=0.25)
    assert quality.area == pytest.approx(3 / 20)
    assert quality.border == pytest.approx(2 / 14)
    assert quality.ignore == pytest.approx(1 / 20)
    assert (quality.agreement, quality.confidence) == (0.5, 0.25)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"area": 0.0}, "empty"),
        ({"area": 0.01}, "too small"),
        ({"area": 0.9}, "too large"),
        ({"border": 0.9}, "touches the border"),
        ({"ignore": 0.9}, "undecided"),
        ({"agreement": 0.1}, "attention and cut disagree"),
    ],
)
def test_each_limit_has_its_reason(change, reason):
    assert reject_reason(Quality(**{**vars(GOOD), **change}), GateConfig()) == reason


def test_confidence_has_a_limit_where_one_is_asked_for():
    unsure = Quality(**{**vars(GOOD), "confidence": 0.4})
    assert reject_reason(unsure, GateConfig()) is None
    assert reject_reason(unsure, GateConfig(min_confidence=0.5)) == "unsure cut"


def test_limits_out_of_range_are_named():
    with pytest.raises(ValueError, match="max_border"):
        GateConfig(max_border=1.5)
    with pytest.raises(ValueError, match="min_area"):
        GateConfig(min_area=0.7)
