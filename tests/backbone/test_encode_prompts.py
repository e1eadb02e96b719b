"""Conditioning: batches, spans, the empty prompt."""

from __future__ import annotations

import pytest
import torch

from diffusionseg.backbone import Conditioning


def test_shapes_and_spans(backbone):
    conditioning = backbone.encode_prompts(["a photo of a cat", "the dog"], ["cat", "dog"])
    assert conditioning.embeddings.shape == (2, 77, backbone.unet.config.cross_attention_dim)
    assert conditioning.spans == ((5,), (2, 3))
    assert (conditioning.pooled is not None) == (len(backbone.text_encoders) == 2)
    assert not conditioning.embeddings.requires_grad


def test_without_class_names_there_are_no_spans(tiny):
    assert tiny("sd1").encode_prompts(["a cat"]).spans == ((),)


def test_embedding_does_not_depend_on_the_batch(backbone):
    many = backbone.encode_prompts(["a cat", "the dog", "a cat"])
    alone = backbone.encode_prompts(["a cat"])
    assert torch.equal(many.embeddings[2:], alone.embeddings)
    assert torch.equal(many.embeddings[0], many.embeddings[2])
    assert not torch.equal(many.embeddings[0], many.embeddings[1])


def test_empty_prompt_of_sdxl_is_zero_only_where_the_model_says_so(tiny):
    backbone = tiny("sdxl")
    empty = backbone.empty_prompt(2)
    assert empty.pooled is not None
    assert len(empty) == 2
    assert not empty.embeddings.any()
    assert not empty.pooled.any()
    assert backbone.encode_prompts([""]).embeddings.any()


def test_empty_prompt_of_one_encoder_is_encoded(tiny):
    backbone = tiny("sd1")
    assert torch.equal(backbone.empty_prompt(1).embeddings, backbone.encode_prompts([""]).embeddings)


def test_concat_and_select(backbone):
    cat = backbone.encode_prompts(["a cat", "the dog"], ["cat", "dog"])
    both = Conditioning.concat([backbone.empty_prompt(2), cat])
    assert both.spans == ((), (), (2,), (2, 3))
    picked = both.select([3, 0, 3])
    assert picked.spans == ((2, 3), (), (2, 3))
    assert torch.equal(picked.embeddings[0], cat.embeddings[1])
    if both.pooled is not None and cat.pooled is not None and picked.pooled is not None:
        assert torch.equal(picked.pooled[2], cat.pooled[1])


def test_concat_refuses_a_mixture_of_families(tiny):
    with pytest.raises(ValueError, match="only some have pooled"):
        Conditioning.concat([tiny("sdxl").empty_prompt(1), tiny("sd1").empty_prompt(1)])


def test_a_single_string_is_refused(tiny):
    with pytest.raises(TypeError, match="sequences of strings"):
        tiny("sd1").encode_prompts("a cat")


def test_long_prompt_is_cut_with_a_log_line(tiny, caplog):
    tiny("sd1").encode_prompts(["cat " + "the " * 100], ["cat"])
    assert "the last 26 are cut off" in caplog.text  # 101 words + 2 special tokens - 77
