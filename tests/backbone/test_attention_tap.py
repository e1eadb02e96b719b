"""Attention taps: right maps, untouched outputs, untouched models."""

from __future__ import annotations

import pytest
import torch

from diffusionseg.backbone import AttentionMaps, AttentionTap, Conditioning, attention_layers
from diffusionseg.backbone import attention_maps as maps_module
from diffusionseg.backbone.random_models import tiny_backbone

PROMPTS, NAMES = ["a photo of a cat", "the dog of the cat"], ["cat", "dog"]


class OracleProcessor:
    """Explicit attention, written plainly: keeps the whole (B, heads, N, L) of every call."""

    def __init__(self):
        self.probabilities = []

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None):
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            attn.head_to_batch_dim(x) for x in (attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context))
        )
        scores = attn.get_attention_scores(query, key, None)
        self.probabilities.append(scores.unflatten(0, (len(hidden_states), attn.heads)))
        return attn.to_out[0](attn.batch_to_head_dim(scores @ value))


def state(unet):
    """Everything a tap could leave behind: processors, and the hooks of every module, by identity."""
    hooks = {
        name: [list(getattr(module, kind).items()) for kind in ("_forward_hooks", "_forward_pre_hooks")]
        for name, module in unet.named_modules()
    }
    return {name: id(p) for name, p in unet.attn_processors.items()}, hooks, set(unet.state_dict())


def guided(backbone):
    return Conditioning.concat([backbone.empty_prompt(2), backbone.encode_prompts(PROMPTS, NAMES)])


@pytest.mark.parametrize("size", [(32, 32), (32, 24), (23, 31)])
def test_maps_are_those_of_explicit_attention(size, noise):
    for family in ("sd1", "sd2-v", "sdxl"):
        backbone = tiny_backbone(family)
        conditioning, latents = guided(backbone), noise(4, 4, *size)
        calls = [(latents, 700), (latents.flip(0), 300)]
        with AttentionTap(backbone, conditioning, rows=slice(2, None), min_tokens=150) as tap:
            for x, t in calls:
                backbone.denoise(x, t, conditioning)
        maps = tap.maps()
        oracles = {name: OracleProcessor() for name in backbone.unet.attn_processors}
        backbone.unet.set_attn_processor(dict(oracles))
        for x, t in calls:
            backbone.denoise(x, t, conditioning)

        assert maps.steps == 2
        assert maps.cross
        assert maps.self_
        for name, values in maps.cross.items():
            full = torch.stack(oracles[f"{name}.processor"].probabilities).mean((0, 2))[2:]
            expected = torch.stack(
                [row[:, list(span)].mean(-1) for row, span in zip(full, conditioning.spans[2:], strict=True)]
            )
            assert values.shape == (2, *maps.grids[name])
            torch.testing.assert_close(values.flatten(1), expected, rtol=1e-4, atol=1e-6)
        for name, values in maps.self_.items():
            full = torch.stack(oracles[f"{name}.processor"].probabilities).mean((0, 2))[2:]
            torch.testing.assert_close(values, full, rtol=1e-4, atol=1e-6)
            torch.testing.assert_close(values.sum(-1), torch.ones_like(values[..., 0]))


def test_grid_of_odd_sizes_is_rounded_up_at_each_level(tiny, noise):
    backbone = tiny("sd1")
    conditioning = backbone.encode_prompts(PROMPTS, NAMES)
    with AttentionTap(backbone, conditioning, min_tokens=1, max_tokens=10_000) as tap:
        backbone.denoise(noise(2, 4, 23, 31), 500, conditioning)
    grids = tap.maps().grids
    assert len(grids) == len(attention_layers(backbone.unet))
    for name, grid in grids.items():
        coarse = name.startswith(("down_blocks.1", "mid_block", "up_blocks.0"))
        assert grid == ((12, 16) if coarse else (23, 31))


def test_grid_orientation_follows_the_latent(tiny, noise):
    backbone = tiny("sd1")
    conditioning = backbone.encode_prompts(PROMPTS[:1], NAMES[:1])
    with AttentionTap(backbone, conditioning, self_layers=()) as tap:
        backbone.denoise(noise(1, 4, 16, 40), 500, conditioning)
    assert {tuple(m.shape) for m in tap.maps().cross.values()} == {(1, 16, 40)}


@pytest.mark.parametrize("recording", [True, False])
def test_output_is_the_same_to_the_bit(backbone, noise, recording):
    conditioning, latents = guided(backbone), noise(4, 4, 32, 32)
    plain = backbone.denoise(latents, 500, conditioning)
    with AttentionTap(backbone, conditioning, rows=slice(2, None)) as tap:
        tap.recording = recording
        tapped = backbone.denoise(latents, 500, conditioning)
    assert torch.equal(plain, tapped)


def test_default_layers_are_chosen_by_the_size_that_is_called(tiny, noise):
    backbone = tiny("sd1")
    conditioning = backbone.encode_prompts(PROMPTS, NAMES)
    tap = AttentionTap(backbone, conditioning)
    with tap:
        backbone.denoise(noise(2, 4, 32, 32), 500, conditioning)
        assert set(tap.maps().grids.values()) == {(32, 32), (16, 16)}
        tap.reset()
        backbone.denoise(noise(2, 4, 24, 24), 500, conditioning)  # 576 and 144 positions
        assert set(tap.maps().grids.values()) == {(24, 24)}
        tap.reset()
        backbone.denoise(noise(2, 4, 8, 8), 500, conditioning)
        with pytest.raises(ValueError, match=r"196 to 1024 positions; this call had \[16, 64\]"):
            tap.maps()


def test_named_layers_are_read_at_any_size(tiny, noise):
    backbone = tiny("sd1")
    cross = "mid_block.attentions.0.transformer_blocks.0.attn2"
    conditioning = backbone.encode_prompts(PROMPTS, NAMES)
    with AttentionTap(backbone, conditioning, cross_layers=[cross], self_layers=()) as tap:
        backbone.denoise(noise(2, 4, 8, 8), 500, conditioning)
    maps = tap.maps()
    assert list(maps.cross) == [cross]
    assert not maps.self_
    assert maps.cross[cross].shape == (2, 4, 4)


def test_only_recorded_calls_count(tiny, noise):
    backbone = tiny("sd1")
    conditioning = backbone.encode_prompts(PROMPTS, NAMES)
    latents = noise(2, 4, 32, 32)
    with AttentionTap(backbone, conditioning) as tap:
        backbone.denoise(latents, 100, conditioning)
        once = tap.maps()
        tap.recording = False
        backbone.denoise(latents, 900, conditioning)
        tap.recording = True
        backbone.denoise(latents, 100, conditioning)
        twice = tap.maps()
    assert (once.steps, twice.steps) == (1, 2)
    for name in once.self_:
        torch.testing.assert_close(once.self_[name], twice.self_[name])


def test_self_attention_in_blocks_is_the_same(tiny, noise, monkeypatch):
    backbone = tiny("sd1")
    conditioning = backbone.encode_prompts(PROMPTS, NAMES)
    results = []
    for block in (1 << 23, 2 * 256 * 7):
        monkeypatch.setattr(maps_module, "_BLOCK_ELEMENTS", block)
        with AttentionTap(backbone, conditioning) as tap:
            backbone.denoise(noise(2, 4, 32, 32), 500, conditioning)
        results.append(tap.maps().self_)
    for name, whole in results[0].items():
        torch.testing.assert_close(results[1][name], whole)


def test_attention_mask_is_applied(tiny, noise):
    backbone = tiny("sd1")
    name = "down_blocks.0.attentions.0.transformer_blocks.0.attn2"
    attn = backbone.unet.get_submodule(name)
    conditioning = backbone.encode_prompts(PROMPTS, NAMES)
    mask = torch.zeros(2, 1, 77)
    mask[:, :, 20:] = -10000.0
    block = "down_blocks.0.attentions.0"
    with AttentionTap(backbone, conditioning, cross_layers=[name], self_layers=()) as tap:
        backbone.unet.get_submodule(block)(
            noise(2, 16, 16, 16),
            encoder_hidden_states=conditioning.embeddings,
            encoder_attention_mask=mask,
            return_dict=False,
        )
    oracle_in = {}
    handle = attn.register_forward_pre_hook(lambda _, args, kw: oracle_in.update(x=args[0]), with_kwargs=True)
    backbone.unet.get_submodule(block)(
        noise(2, 16, 16, 16), encoder_hidden_states=conditioning.embeddings, return_dict=False
    )
    handle.remove()
    query = attn.head_to_batch_dim(attn.to_q(oracle_in["x"]))
    key = attn.head_to_batch_dim(attn.to_k(conditioning.embeddings))
    full = attn.get_attention_scores(query, key, attn.prepare_attention_mask(mask, 77, 2)).unflatten(0, (2, -1))
    assert not full[..., 20:].any()
    expected = full.mean(1)[0, :, 5].reshape(16, 16)
    torch.testing.assert_close(tap.maps().cross[name][0], expected, rtol=1e-4, atol=1e-6)


def test_model_is_left_as_it_was(backbone, noise):
    conditioning = guided(backbone)
    before = state(backbone.unet)
    with AttentionTap(backbone, conditioning, rows=slice(2, None)):
        backbone.denoise(noise(4, 4, 32, 32), 500, conditioning)
        assert state(backbone.unet) != before
    assert state(backbone.unet) == before


def test_model_is_left_as_it_was_after_an_exception(tiny, noise):
    backbone = tiny("sd1")
    conditioning = backbone.encode_prompts(PROMPTS, NAMES)
    before = state(backbone.unet)
    with (
        pytest.raises(ValueError, match="called with 1 rows, the tap's conditioning has 2"),
        AttentionTap(backbone, conditioning),
    ):
        backbone.denoise(noise(1, 4, 32, 32), 500, conditioning.select([0]))
    assert state(backbone.unet) == before
    with pytest.raises(KeyboardInterrupt), AttentionTap(backbone, conditioning):
        raise KeyboardInterrupt
    assert state(backbone.unet) == before


def test_nested_taps_read_the_same(tiny, noise):
    backbone = tiny("sd1")
    conditioning = backbone.encode_prompts(PROMPTS, NAMES)
    latents = noise(2, 4, 32, 32)
    before = state(backbone.unet)
    with AttentionTap(backbone, conditioning) as outer:
        with AttentionTap(backbone, conditioning) as inner:
            backbone.denoise(latents, 500, conditioning)
        first = outer.maps()
        backbone.denoise(latents, 500, conditioning)
    assert state(backbone.unet) == before
    assert (inner.maps().steps, outer.maps().steps) == (1, 2)
    for name, values in inner.maps().cross.items():
        assert torch.equal(values, first.cross[name])


def test_custom_processors_survive(noise):
    backbone = tiny_backbone("sd1")
    processors = {name: OracleProcessor() for name in backbone.unet.attn_processors}
    backbone.unet.set_attn_processor(dict(processors))
    conditioning = backbone.encode_prompts(PROMPTS, NAMES)
    with AttentionTap(backbone, conditioning):
        backbone.denoise(noise(2, 4, 32, 32), 500, conditioning)
    assert all(backbone.unet.attn_processors[name] is p for name, p in processors.items())
    assert all(len(p.probabilities) == 1 for p in processors.values())


def test_changed_size_while_recording(tiny, noise):
    backbone = tiny("sd1")
    conditioning = backbone.encode_prompts(PROMPTS, NAMES)
    with AttentionTap(backbone, conditioning) as tap:
        backbone.denoise(noise(2, 4, 32, 32), 500, conditioning)
        with pytest.raises(ValueError, match=r"changed size while recording.*reset\(\) first"):
            backbone.denoise(noise(2, 4, 32, 24), 500, conditioning)
    assert tap.maps().steps == 1


def test_nothing_recorded(tiny):
    backbone = tiny("sd1")
    with pytest.raises(RuntimeError, match="no U-Net call was recorded"):
        AttentionTap(backbone, backbone.encode_prompts(PROMPTS, NAMES)).maps()


def test_rows_without_a_span(tiny):
    backbone = tiny("sd1")
    with pytest.raises(ValueError, match="no class span"):
        AttentionTap(backbone, guided(backbone))
    AttentionTap(backbone, guided(backbone), cross_layers=())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cross_layers": ["mid_block"]}, "'mid_block' is no cross-attention layer; there are down_blocks.0"),
        (
            {"self_layers": ["down_blocks.0.attentions.0.transformer_blocks.0.attn2"]},
            "no self-attention layer",
        ),
        ({"rows": slice(2, None)}, "selects none of the 2 rows"),
        ({"min_tokens": 10, "max_tokens": 9}, "min_tokens 10"),
    ],
)
def test_wrong_choices(tiny, options, message):
    backbone = tiny("sd1")
    with pytest.raises(ValueError, match=message):
        AttentionTap(backbone, backbone.encode_prompts(PROMPTS, NAMES), **options)


def test_attention_layers_lists_both_kinds(tiny):
    layers = attention_layers(tiny("sdxl").unet)
    assert {layer.kind for layer in layers if layer.name.endswith("attn1")} == {"self"}
    assert {layer.kind for layer in layers if layer.name.endswith("attn2")} == {"cross"}
    assert len({layer.name for layer in layers}) == len(tiny("sdxl").unet.attn_processors)
    assert all(layer.heads == tiny("sdxl").unet.get_submodule(layer.name).heads for layer in layers)


def test_merged_maps_are_the_mean_over_all_calls():
    one, other = (
        AttentionMaps({"a": torch.full((1, 2, 2), v)}, {"b": torch.full((1, 4, 4), v)}, {"a": (2, 2), "b": (2, 2)}, n)
        for v, n in ((1.0, 3), (5.0, 1))
    )
    merged = one.merge(other)
    assert merged.steps == 4
    torch.testing.assert_close(merged.cross["a"], torch.full((1, 2, 2), 2.0))
    torch.testing.assert_close(merged.self_["b"], torch.full((1, 4, 4), 2.0))


def test_fused_projections_are_read_the_same(noise):
    backbone = tiny_backbone("sd1")
    conditioning, latents = backbone.encode_prompts(PROMPTS, NAMES), noise(2, 4, 32, 32)
    called = []
    layers = [m for name, m in backbone.unet.named_modules() if name.endswith("attn1.to_q")]
    for layer in layers:
        layer.register_forward_hook(lambda *_: called.append(True))
    read = []
    for fused in (False, True):
        if fused:
            backbone.unet.fuse_qkv_projections()
        called.clear()
        with AttentionTap(backbone, conditioning) as tap:
            backbone.denoise(latents, 500, conditioning)
        read.append(tap.maps())
        # Once a layer in its own course; of fused ones only by the tap, where it reads.
        assert len(called) == (len(read[0].self_) if fused else len(layers)) > 0
    for one, other in ((read[0].cross, read[1].cross), (read[0].self_, read[1].self_)):
        assert one.keys() == other.keys()
        for name in one:
            torch.testing.assert_close(one[name], other[name], rtol=1e-4, atol=1e-6)


def test_a_tap_that_cannot_be_placed_leaves_nothing_behind():
    backbone = tiny_backbone("sd1")
    before = state(backbone.unet)
    last = dict(backbone.unet.named_modules())[attention_layers(backbone.unet)[-1].name]
    made, last.to_k = last.to_k, None
    with pytest.raises(AttributeError), AttentionTap(backbone, guided(backbone), rows=slice(2, None), min_tokens=1):
        pass
    last.to_k = made
    assert state(backbone.unet) == before
