"""Configurations as JSON, also those that an older or a newer version wrote."""

import pytest

from diffusionseg.attentioncut import ColourCutConfig
from diffusionseg.prediction import PredictConfig
from diffusionseg.prediction.settings import from_json, to_json


def test_a_configuration_comes_back_as_it_was():
    config = PredictConfig(threshold=0.4, margins=(0.0, 0.15), cut=ColourCutConfig(prior=0.25, band=2))
    assert from_json(PredictConfig, to_json(config)) == config


def test_a_file_from_before_the_finer_edge_keeps_what_it_says_and_gets_the_edge():
    found = from_json(PredictConfig, {"flip": True, "cut": {"prior": 0.25, "finish": 2, "side": 96}})
    assert found == PredictConfig(flip=True, cut=ColourCutConfig(prior=0.25, finish=2, side=96))
    assert found.cut.fine == 256


def test_what_a_newer_version_wrote_is_named():
    with pytest.raises(ValueError, match="ColourCutConfig has no sharpness; written by a newer version"):
        from_json(PredictConfig, {"cut": {"sharpness": 1.0}})
