"""Where in a tokenised prompt the class name stands."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any


def find_name(prompt: str, class_name: str) -> tuple[int, int]:
    """Character range (half-open) of the first occurrence of `class_name` as whole words in `prompt`.

    Case and the amount of white space are ignored. The name must stand alone: "cat" is found in "a cat's bed"
    but neither in "category" nor in "cat-like". Where it occurs more than once the first occurrence counts,
    since the first mention is the one the templates write. Both strings are expected in NFC. Raises
    `ValueError` naming both when it is not there.
    """
    words = class_name.split()
    if not words:
        raise ValueError(f"class name {class_name!r} is empty (prompt {prompt!r})")
    pattern = r"(?<!\w)(?<!\w-)" + r"\s+".join(map(re.escape, words)) + r"(?!\w)(?!-\w)"
    match = re.search(pattern, prompt, flags=re.IGNORECASE)
    if match is None:
        raise ValueError(f"class name {class_name!r} does not occur as whole words in prompt {prompt!r}")
    return match.span()


def class_token_span(tokenizer: Any, prompt: str, class_name: str, limit: int) -> tuple[int, ...]:
    """Positions of the class name's tokens in the padded token sequence of `prompt` (start token at 0).

    The prompt is tokenised whole; tokens that it shares with the text before the name (from the left) and
    with the text after it (from the right) are taken away, and what remains is the span. So a name keeps all
    its pieces however it tokenises in context, with tokenizers that report character offsets and with those
    that do not.

    `limit` is the number of positions that the text encoder has, including the start and end tokens. Raises
    `ValueError` when the name is not in the prompt, or when truncation to `limit` would cut any of its tokens
    off.
    """
    prompt, class_name = unicodedata.normalize("NFC", prompt), unicodedata.normalize("NFC", class_name)
    start, end = find_name(prompt, class_name)
    tokens = _ids(tokenizer, prompt)
    before = _common_prefix(tokens, _ids(tokenizer, prompt[:start]))
    after = _common_prefix(tokens[before:][::-1], _ids(tokenizer, prompt[end:])[::-1])
    span = tuple(position + 1 for position in range(before, len(tokens) - after))
    if not span:
        raise ValueError(f"class name {class_name!r} has no tokens of its own in prompt {prompt!r}")
    if span[-1] > limit - 2:
        raise ValueError(
            f"prompt {prompt!r} has {len(tokens) + 2} tokens and is truncated to {limit}, which cuts off "
            f"the class name {class_name!r} (tokens {span[0]} to {span[-1]}): "
            "shorten the prompt or put the name earlier"
        )
    return span


def _ids(tokenizer: Any, text: str) -> list[int]:
    if not text.strip():
        return []
    return list(tokenizer(text, add_special_tokens=False, truncation=False, verbose=False).input_ids)


def _common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    count = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        count += 1
    return count
