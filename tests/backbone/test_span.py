"""The token span of the class name, against the tokenizer's own character offsets."""

from __future__ import annotations

import unicodedata

import pytest

from diffusionseg.backbone.byte_tokenizer import byte_tokenizer
from diffusionseg.backbone.span import class_token_span, find_name

LIMIT = 77


@pytest.fixture(scope="module")
def tokenizer():
    return byte_tokenizer()


def span_by_offsets(tokenizer, prompt, start, end):
    """Oracle: positions of all tokens that touch the characters start … end."""
    prompt = unicodedata.normalize("NFC", prompt)
    offsets = tokenizer(prompt, return_offsets_mapping=True).offset_mapping
    return tuple(i for i, (a, b) in enumerate(offsets) if a < b and a < end and b > start)


@pytest.mark.parametrize(
    ("prompt", "name", "where"),
    [
        ("a photo of a cat", "cat", "cat"),
        ("a photo of a golden retriever.", "golden retriever", "golden retriever"),
        ("A Photo of the SCHOOL  Bus, parked", "school bus", "SCHOOL  Bus"),
        ("a jack-o'-lantern's glow", "jack-o'-lantern", "jack-o'-lantern"),
        ("a T-shirt", "t-shirt", "T-shirt"),
        ("the cat's bed", "cat", "cat"),
        ('the "cat" (a cat)', "cat", "cat"),
        ("category of cat, a cat", "cat", "cat, a cat"[:3]),
        ("cats and a cat-like dog and a cat!", "cat", "cat!"[:3]),
        ("crème brûlée on a plate", "Crème Brûlée", "crème brûlée"),
        ("cre\u0300me", "cr\u00e8me", "cr\u00e8me"),
        ("c++!! code", "c++", "c++"),
        ("1950s car", "1950s car", "1950s car"),
        ("the the cat", "the", "the"),
        ("dog", "dog", "dog"),
        ("a photo of a 犬 in the snow", "犬", "犬"),
    ],
)
def test_span_covers_exactly_the_name(tokenizer, prompt, name, where):
    normal = unicodedata.normalize("NFC", prompt)
    start, end = find_name(normal, unicodedata.normalize("NFC", name))
    assert normal[start:end] == where
    span = class_token_span(tokenizer, prompt, name, LIMIT)
    assert span == span_by_offsets(tokenizer, prompt, start, end)
    spelt = tokenizer.convert_ids_to_tokens(tokenizer(prompt).input_ids)
    pieces = "".join(spelt[i].replace("</w>", "") for i in span)
    if where.isascii():
        assert pieces.startswith("".join(where.lower().split()))


def test_single_token_name_is_one_position(tokenizer):
    # start, a, photo, of, a, cat
    assert class_token_span(tokenizer, "a photo of a cat", "cat", LIMIT) == (5,)


def test_first_occurrence_counts(tokenizer):
    assert class_token_span(tokenizer, "cat of the cat", "cat", LIMIT) == (1,)


def test_whole_words_only():
    assert find_name("category, bobcat, cat-like, a cat", "cat") == (30, 33)


@pytest.mark.parametrize("prompt", ["a category", "bobcat", "a cat-like dog", "tom-cat", "a dog", ""])
def test_missing_name_is_an_error_that_names_both(tokenizer, prompt):
    with pytest.raises(ValueError, match="'cat' does not occur as whole words in prompt") as caught:
        class_token_span(tokenizer, prompt, "cat", LIMIT)
    assert repr(prompt) in str(caught.value)


@pytest.mark.parametrize("name", ["", "   "])
def test_empty_name(tokenizer, name):
    with pytest.raises(ValueError, match="is empty"):
        class_token_span(tokenizer, "a cat", name, LIMIT)


@pytest.mark.parametrize(("words", "fits"), [(74, True), (75, False)])
def test_truncation_that_touches_the_name(tokenizer, words, fits):
    # start token + 74 words + "cat" + end token is exactly 77 positions.
    prompt = "the " * words + "cat"
    if fits:
        assert class_token_span(tokenizer, prompt, "cat", LIMIT) == (75,)
        return
    with pytest.raises(ValueError, match=r"has 78 tokens and is truncated to 77.*'cat'.*shorten the prompt"):
        class_token_span(tokenizer, prompt, "cat", LIMIT)


def test_truncation_in_the_middle_of_the_name(tokenizer):
    with pytest.raises(ValueError, match="truncated to 77"):
        class_token_span(tokenizer, "the " * 74 + "dog", "dog", LIMIT)  # d and og at 75 and 76


def test_truncation_behind_the_name_does_no_harm(tokenizer):
    assert class_token_span(tokenizer, "cat " + "the " * 200, "cat", LIMIT) == (1,)
