"""One reading serves all methods."""

import numpy as np
import pytest

from diffusionseg.baselines import METHODS, REFINEMENTS, Reading, ReadingConfig, Refiner, choose_methods
from diffusionseg.baselines.refinement import choose_refinements, main_part
from diffusionseg.exploitation import DiffusionSeg
from diffusionseg.masks import TOKENCUT, bilateral_solver, refine

CONFIG = ReadingConfig(noises=2)


@pytest.fixture(scope="module")
def model():
    return DiffusionSeg.from_pretrained("mini", device="cpu")


@pytest.fixture(scope="module")
def reading(model, disc):
    return Reading(model, disc[0], CONFIG)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_a_saliency_and_is_charged_for_what_it_reads(name, reading, model, disc):
    method = METHODS[name]
    alone = Reading(model, disc[0], CONFIG)
    found = method.find(alone)
    assert found.ndim == 2
    assert 0 <= found.min() <= found.max() <= 1
    assert set(alone.seconds) == set(method.reads)
    assert np.allclose(method.find(reading), found, atol=1e-6)


def test_parts_are_read_once_and_have_the_promised_form(reading):
    assert reading.named is reading.named
    assert set(reading.named.grids.values()) == {(16, 16)}
    assert {values.shape for values in reading.named.cross.values()} == {(1, 16, 16)}
    assert not reading.unnamed.cross
    assert len(set(reading.unnamed.grids.values())) == 3
    assert reading.features.encoder.shape[0] == reading.features.keys.shape[0] == 256


def test_colour_cut_and_decoder_find_the_disc(reading, disc):
    for name in ("colour-cut", "grabcut"):
        found = Refiner(disc[0]).refine(METHODS[name].find(reading), "none") > 0.5
        assert (found & disc[1]).sum() / (found | disc[1]).sum() > 0.9


def test_shared_grid_gives_what_the_single_solver_gives(disc):
    image = disc[0]
    refiner = Refiner(image)
    for seed in range(2):
        saliency = np.random.default_rng(seed).random((7, 9))
        alone = bilateral_solver(image, refine(saliency, image, "none"), config=TOKENCUT)
        assert np.allclose(refiner.refine(saliency, "bilateral"), alone, atol=1e-5)
    assert refiner.shared_seconds > 0


@pytest.mark.parametrize("refinement", REFINEMENTS)
def test_refined_saliency_has_the_photographs_size(refinement, disc):
    refined = Refiner(disc[0]).refine(np.eye(5), refinement)
    assert refined.shape == (60, 80)
    assert refined.dtype == np.float32
    assert 0 <= refined.min() <= refined.max() <= 1


def test_main_part_is_the_largest_without_holes():
    saliency = np.zeros((9, 12))
    saliency[1:8, 1:7] = 0.9
    saliency[4, 4] = 0.1
    saliency[2:4, 9:11] = 0.9
    expected = np.zeros((9, 12), dtype=bool)
    expected[1:8, 1:7] = True
    assert np.array_equal(main_part(saliency), expected)
    assert not main_part(np.zeros((4, 4))).any()


def test_names_are_checked():
    assert [method.name for method in choose_methods("decoder, centre,decoder")] == ["decoder", "centre"]
    with pytest.raises(ValueError, match="--methods magic"):
        choose_methods("centre,magic")
    with pytest.raises(ValueError, match="--refine"):
        choose_refinements("")


@pytest.mark.parametrize(
    "wrong", [{"noises": 0}, {"named_timesteps": ()}, {"merging_timestep": 1000}, {"min_tokens": 0}]
)
def test_wrong_constants_are_named(wrong):
    with pytest.raises(ValueError, match=r"noises|timesteps|min_tokens"):
        ReadingConfig(**wrong)


def test_a_generator_without_layers_of_the_size_is_refused(model, disc):
    reading = Reading(model, disc[0], ReadingConfig(noises=1, min_tokens=300))
    with pytest.raises(ValueError, match="300 to 1024 positions"):
        _ = reading.features
