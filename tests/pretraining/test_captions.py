"""Captions and the tokenizer learnt from class names."""

import numpy as np
import pytest

from diffusionseg.pretraining.captions import Captions, train_tokenizer
from diffusionseg.synthesis.prompts import TEMPLATES

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


def test_share_of_empty_and_widened_captions(tmp_path):
    tokenizer = train_tokenizer([*NAMES, "golden retriever", "dog"], tmp_path)
    captions = Captions(["golden retriever", "goldfish"], {"golden retriever": "dog"}, tokenizer)
    labels = np.array([0, 1]).repeat(4000)
    tokens, which = captions.draw(labels, 0.1, np.random.default_rng(0))
    said = [tokenizer.decode(ids, skip_special_tokens=True) for ids in tokens]
    assert len(set(said)) == len(said) == 1 + 3 * len(TEMPLATES)
    said = np.array(said)[which]
    assert (said == "").mean() == pytest.approx(0.1, abs=0.01)
    retrievers = [text for text in said[:4000] if text]
    assert np.mean([text.endswith(" dog") for text in retrievers]) == pytest.approx(0.3, abs=0.03)
    assert all(text.endswith((" dog", " golden retriever")) for text in retrievers)
    assert all(text.endswith(" goldfish") for text in said[4000:] if text)
    assert not any("{" in text for text in said)
