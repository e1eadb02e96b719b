"""Captions and the tokenizer learnt from class names."""

import numpy as np
import pytest

from diffusionseg.pretraining.captions import caption, train_tokenizer

NAMES = ["goldfish", "school bus", "potter's wheel", "pay-phone"]


def test_words_of_the_names_are_single_tokens(tmp_path):
    tokenizer = train_tokenizer(NAMES, tmp_path)
    assert tokenizer.tokenize("a photo of a School Bus") == [
        "a</w>",
        "photo</w>",
        "of</w>",
        "a</w>",
        "school</w>",
        "bus</w>",
    ]


def test_unknown_words_spell_out_without_an_unknown_token(tmp_path):
    tokenizer = train_tokenizer(NAMES, tmp_path)
    ids = tokenizer("zebrafish ü").input_ids
    assert tokenizer.unk_token_id not in ids[1:-1]
    assert tokenizer.decode(ids, skip_special_tokens=True).startswith("zebrafish")


def test_saved_tokenizer_is_read_by_transformers_from_vocabulary_and_merges(tmp_path):
    from transformers import CLIPTokenizer

    tokenizer = train_tokenizer(NAMES, tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    again = CLIPTokenizer.from_pretrained(tmp_path)
    assert again("a photo of a goldfish").input_ids == tokenizer("a photo of a goldfish").input_ids
    assert max(tokenizer.get_vocab().values()) == tokenizer.eos_token_id


def test_share_of_empty_and_widened_captions():
    rng = np.random.default_rng(0)
    captions = [caption("golden retriever", {"golden retriever": "dog"}, rng, drop=0.1) for _ in range(4000)]
    empty = sum(c == "" for c in captions) / 4000
    widened = sum(c.endswith(" dog") for c in captions) / sum(c != "" for c in captions)
    assert empty == pytest.approx(0.1, abs=0.02)
    assert widened == pytest.approx(0.3, abs=0.03)
    assert not any("{" in c for c in captions)
