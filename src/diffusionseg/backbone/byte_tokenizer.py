"""A CLIP tokenizer of a few hundred entries that can spell every text, made in code."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from transformers import CLIPTokenizer

_MERGES = (
    "t h",
    "th e</w>",
    "a n",
    "p h",
    "ph o",
    "pho t",
    "phot o</w>",
    "o f</w>",
    "o g</w>",
    "c a",
    "ca t</w>",
)
_START, _END = "<|startoftext|>", "<|endoftext|>"


def byte_alphabet() -> list[str]:
    """The 256 printable characters that stand for bytes 0 … 255 in byte-level BPE (GPT-2, CLIP).

    Printable Latin-1 bytes stand for themselves, the others for the characters from U+0100 on, in order.
    """
    printable = {
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    }
    others = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


def byte_tokenizer(model_max_length: int = 77) -> Any:
    """A `CLIPTokenizer` with bytes, bytes at the end of a word, and a few merges; short words stay whole.

    "cat", "photo", "the" and "of" are single tokens, everything else is spelt, so names have several tokens.
    The end token has the highest number, as in CLIP. Padding is the end token.
    """
    bytes_ = byte_alphabet()
    entries = [*bytes_, *(b + "</w>" for b in bytes_), *(m.replace(" ", "") for m in _MERGES), _START, _END]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        vocabulary = {entry: number for number, entry in enumerate(entries)}
        (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
        (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *_MERGES]) + "\n", encoding="utf-8")
        return CLIPTokenizer.from_pretrained(
            name,
            model_max_length=model_max_length,
            bos_token=_START,
            eos_token=_END,
            pad_token=_END,
            unk_token=_END,
        )
