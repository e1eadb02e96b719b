"""Feature taps: the right tensors, and no hook left behind."""

from __future__ import annotations

import pytest
import torch

from diffusionseg.backbone import FeatureTap


def hooks(unet):
    return {name: len(module._forward_hooks) for name, module in unet.named_modules()}


def test_last_up_block_is_what_the_output_head_sees(backbone, noise):
    prompt = backbone.empty_prompt(2)
    with FeatureTap(backbone) as tap:
        output = backbone.denoise(noise(2, 4, 32, 24), 500, prompt)
    assert list(tap.features) == ["up_blocks.0", "up_blocks.1"]
    assert tap.features["up_blocks.0"].shape == (2, 32, 32, 24)
    unet = backbone.unet
    head = unet.conv_out(unet.conv_act(unet.conv_norm_out(tap.features["up_blocks.1"])))
    assert torch.equal(head, output)


def test_any_module_can_be_tapped(backbone, noise):
    layers = ["mid_block", "down_blocks.1", "down_blocks.0.resnets.0", "up_blocks.1.attentions.0", "conv_in"]
    latents = noise(1, 4, 32, 32)
    with FeatureTap(backbone, layers) as tap:
        backbone.denoise(latents, 500, backbone.empty_prompt(1))
    assert {name: tuple(f.shape) for name, f in tap.features.items()} == {
        "mid_block": (1, 32, 16, 16),
        "down_blocks.1": (1, 32, 16, 16),
        "down_blocks.0.resnets.0": (1, 16, 32, 32),
        "up_blocks.1.attentions.0": (1, 16, 32, 32),
        "conv_in": (1, 16, 32, 32),
    }
    assert torch.equal(tap.features["conv_in"], backbone.unet.conv_in(latents))


def test_hooks_are_removed(tiny, noise):
    backbone = tiny("sd1")
    before = hooks(backbone.unet)
    with FeatureTap(backbone):
        assert hooks(backbone.unet) != before
    assert hooks(backbone.unet) == before
    with pytest.raises(ZeroDivisionError), FeatureTap(backbone):
        raise ZeroDivisionError
    assert hooks(backbone.unet) == before


@pytest.mark.parametrize(
    ("layers", "left_out"), [(None, ["conv_out"]), (["down_blocks.1", "mid_block"], ["up_blocks.0", "conv_out"])]
)
def test_stopping_computes_nothing_behind_the_last_layer(tiny, noise, layers, left_out):
    backbone = tiny("sd1")
    prompt, latents, called = backbone.empty_prompt(1), noise(1, 4, 32, 32), []
    modules = dict(backbone.unet.named_modules())
    with FeatureTap(backbone, layers) as whole:
        backbone.denoise(latents, 500, prompt)
    for name in left_out:
        modules[name].register_forward_pre_hook(lambda *_, name=name: called.append(name))
    before = hooks(backbone.unet)
    with FeatureTap(backbone, layers, stop=True) as tap:
        backbone.denoise(latents, 500, prompt)
        raise AssertionError("the call came back")
    assert called == []
    assert hooks(backbone.unet) == before
    assert list(tap.features) == list(whole.features)
    assert all(torch.equal(tap.features[name], whole.features[name]) for name in whole.features)
    # The model works as ever afterwards.
    backbone.denoise(latents, 500, prompt)
    assert called == left_out


@pytest.mark.parametrize("layer", ["up_blocks.2", "nonsense", ""])
def test_unknown_layer_lists_the_available_ones(tiny, layer):
    with pytest.raises(ValueError, match=r"unknown layer .*down_blocks\.0, .*up_blocks\.1, mid_block"):
        FeatureTap(tiny("sd1"), [layer])
