"""Captions and the tokenizer of a small generator, from class names alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from transformers import CLIPTokenizer

from diffusionseg.synthesis.prompts import TEMPLATES, make_prompt

START, END = "<|startoftext|>", "<|endoftext|>"


class Captions:
    """The captions of photographs of some classes, as token ids.

    A class has each template with its name. Where `general` has a wider word for it ("dog" for "golden retriever"),
    that word takes the name's place in three captions out of ten.
    """

    WIDER = 0.3

    def __init__(self, names: Sequence[str], general: Mapping[str, str], tokenizer: CLIPTokenizer) -> None:
        places = {"": 0}
        words = [(name, general.get(name, name)) for name in names]
        self._places = np.array(
            [[[places.setdefault(make_prompt(t, w), len(places)) for t in TEMPLATES] for w in both] for both in words]
        )
        """(classes, 2, templates): where the ids of a caption with the name, or the wider word, are."""
        ids = tokenizer(list(places), padding="max_length", truncation=True).input_ids
        self._ids = np.asarray(ids, np.int64)

    def draw(
        self, labels: NDArray[np.int64], drop: float, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """One caption for each of `labels` (B,), empty with probability `drop` (for classifier-free guidance): the ids
        (D, L) of the distinct ones, and which of them each has (B,)."""
        empty, wider = rng.random((2, len(labels)))
        template = rng.integers(len(TEMPLATES), size=len(labels))
        named = self._places[labels, (wider < self.WIDER).astype(np.int64), template]
        distinct, which = np.unique(np.where(empty < drop, 0, named), return_inverse=True)
        return self._ids[distinct], which


def train_tokenizer(
    names: Sequence[str], directory: Path, *, vocab_size: int = 4096, max_length: int = 32
) -> CLIPTokenizer:
    """Learn CLIP-type byte-pair merges from the captions of all `names` and save the tokenizer to `directory`.

    Frequent words of the names become one token; anything else still spells out in bytes.
    """
    from tokenizers import trainers

    tokenizer = CLIPTokenizer(vocab={START: 0, END: 1}, merges=[])
    backend = tokenizer.backend_tokenizer
    alphabet = sorted(_byte_alphabet())
    captions = [make_prompt(t, n) for n in sorted(names) for t in TEMPLATES]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=len(TEMPLATES),
        special_tokens=[*alphabet, *(c + "</w>" for c in alphabet)],
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    backend.train_from_iterator(captions, trainer)
    model = json.loads(backend.to_str())["model"]
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in model["merges"]]
    vocabulary = [t for t, _ in sorted(model["vocab"].items(), key=lambda item: item[1]) if t not in (START, END)]
    vocab = {token: i for i, token in enumerate([*vocabulary, START, END])}
    directory.mkdir(parents=True, exist_ok=True)
    trained = CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=max_length)
    trained.save_pretrained(directory)
    (directory / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False))
    (directory / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(m) for m in merges) + "\n")
    return trained


def _byte_alphabet() -> list[str]:
    from tokenizers.pre_tokenizers import ByteLevel

    return list(ByteLevel.alphabet())
