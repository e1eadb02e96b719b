"""Images whose attention is kept apart, and cut again."""

import numpy as np
import pytest

from diffusionseg.attentioncut import AttentionCutConfig
from diffusionseg.backbone.random_models import tiny_backbone
from diffusionseg.synthesis import (
    GateConfig,
    SynthesisConfig,
    attention_from,
    chosen_maps,
    cut_drawing,
    draw,
    synthesize,
    usual_readings,
)

BLOCK = "mid_block.attentions.0.transformer_blocks.0"
CONFIG = SynthesisConfig(
    steps=6,
    attempts=1,
    reread_noises=2,
    reread_timesteps=(350, 650),
    cross_layers=(f"{BLOCK}.attn2",),
    self_layers=(f"{BLOCK}.attn1",),
    gate=GateConfig(min_area=0, max_area=1, max_border=1, max_ignore=1, min_agreement=0),
)


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone("sd1")


@pytest.fixture(scope="module")
def drawing(backbone):
    return draw(backbone, ["cat", "dog"], 1, 7, 0, CONFIG)


def test_a_drawing_cut_as_usual_is_the_pair_of_synthesize(backbone, drawing):
    _, pair = synthesize(backbone, ["cat", "dog"], count=2, seed=7, config=CONFIG)
    usual = usual_readings(drawing, CONFIG)
    assert usual == [1, 2, 3, 4]
    again = cut_drawing(drawing, chosen_maps(drawing, usual), CONFIG)
    assert np.array_equal(again.image, pair.image)
    assert np.allclose(again.attention, pair.attention, atol=1e-5)
    assert (again.mask != pair.mask).mean() < 0.001
    assert {**again.meta(), "energy": 0, "quality": 0} == {**pair.meta(), "energy": 0, "quality": 0}


def test_readings_and_constants_change_the_cut(drawing):
    early = cut_drawing(drawing, chosen_maps(drawing, [0]), CONFIG)
    late = cut_drawing(drawing, chosen_maps(drawing, [3]), CONFIG)
    assert not np.allclose(early.attention, late.attention, atol=1e-3)
    free = SynthesisConfig(cut=AttentionCutConfig(smoothness=0))
    assert cut_drawing(drawing, chosen_maps(drawing, [0]), free).energy["pairwise"] == 0
    assert early.energy["pairwise"] > 0


def test_what_is_not_there_cannot_be_chosen(drawing):
    assert drawing.blocks == {BLOCK: (16, 16)}
    assert drawing.bytes == 5 * (256 * 256 + 256) * 4
    for readings, blocks in (([], None), (None, []), ([5], None), ([-1], None), (None, ["nowhere"])):
        with pytest.raises(ValueError, match="timestep"):
            chosen_maps(drawing, readings, blocks)


def test_self_attention_of_a_point_is_a_row_of_its_layer(drawing):
    maps = chosen_maps(drawing, [2], [BLOCK])
    row = maps.self_[f"{BLOCK}.attn1"][0, 3 * 16 + 12].reshape(16, 16)
    assert np.allclose(attention_from(maps, (12.5 / 16, 3.5 / 16)), row, atol=1e-6)
    assert np.allclose(attention_from(maps, (1.0, 1.0)).sum(), 1)
