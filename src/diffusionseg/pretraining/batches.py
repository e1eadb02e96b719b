"""What each step trains on, a function of (seed, step) alone: which photographs, of which size, with which captions."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import CLIPTokenizer

from diffusionseg.pretraining.captions import Captions
from diffusionseg.pretraining.config import PretrainConfig
from diffusionseg.pretraining.photos import Photos
from diffusionseg.recognition import crops
from diffusionseg.training import batch_indices, step_generator

AREA = (0.4, 1.0)
"""Range of an aligned crop's share of its photograph: smaller ones show too little of what a decoder sees whole."""


@dataclass(frozen=True)
class Batch:
    """Photographs of one size with their captions."""

    pixels: Tensor
    """(B, S, S, 3) uint8."""
    tokens: Tensor
    """(D, L) token ids of the distinct captions."""
    captions: Tensor
    """(B,) which of them is whose."""
    crops: Tensor
    """(A, 3, S, S) in 0…1, of captioned photographs on which features are aligned; A is 0 where there are none."""

    def pinned(self) -> Batch:
        """The same in memory from which a GPU copies while it computes."""
        parts = (self.pixels, self.tokens, self.captions, self.crops)
        return Batch(*(part.pin_memory() for part in parts))


class Batches:
    """The batches of a run, from photographs of `image_size` and, in some steps, larger ones."""

    def __init__(
        self,
        photos: Photos,
        larger: Sequence[Photos],
        general: Mapping[str, str],
        tokenizer: CLIPTokenizer,
        config: PretrainConfig,
        captioned: Photos | None = None,
    ) -> None:
        self._captioned = captioned
        self._sets = (photos, *larger)
        self._cumulative = [cumulative_shares(some.labels, config.balance) for some in self._sets]
        self._captions = [Captions(some.names, general, tokenizer) for some in self._sets]
        self._config = config

    def of_step(self, step: int) -> Batch:
        """The batch of step `step`: photographs mirrored half of the time, captions of varied wording."""
        config = self._config
        which, turn = size_in_turn(step, len(self._sets) - 1, config.larger_every)
        photos = self._sets[which]
        count = max(1, config.batch_size * config.image_size**2 // photos.images.shape[1] ** 2)
        rng = np.random.default_rng((config.seed, step))
        if config.balance:
            rows = np.searchsorted(self._cumulative[which], rng.random(count), side="right")
        else:
            rows = batch_indices(len(photos), count, config.seed, turn)
        chosen = photos.images[rows]
        mirrored = rng.random(count) < 0.5
        chosen[mirrored] = chosen[mirrored][:, :, ::-1]
        tokens, said = self._captions[which].draw(photos.labels[rows], config.caption_drop, rng)
        aligned = torch.empty(0, 3, config.image_size, config.image_size)
        if self._captioned is not None:
            aligned = aligned_crops(self._captioned, config.aligned_batch_size, config, step)
        return Batch(torch.from_numpy(chosen), torch.from_numpy(tokens), torch.from_numpy(said), aligned)

    def ahead(self, steps: range, workers: int) -> Iterator[Batch]:
        """The batches of `steps`, in order, pinned and made ahead in `workers` threads; with 0, when asked for."""
        if not workers:
            yield from map(self.of_step, steps)
            return
        with ThreadPoolExecutor(workers) as pool:
            waiting: deque[Future[Batch]] = deque()
            for step in steps:
                waiting.append(pool.submit(self._pinned, step))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _pinned(self, step: int) -> Batch:
        return self.of_step(step).pinned()


def aligned_crops(photos: Photos, count: int, config: PretrainConfig, step: int) -> Tensor:
    """`count` crops (B, 3, S, S) in 0…1 of captioned photographs in the order of step `step`."""
    rows = batch_indices(len(photos), count, config.seed, step)
    cut = replace(config.encoder, area=AREA)
    return crops(photos.images[rows], config.image_size, cut, step_generator(config.seed, step))


def size_in_turn(step: int, larger: int, every: int) -> tuple[int, int]:
    """Which size step `step` is of, 0 or one of `larger` larger ones, and how many steps before it were of that one."""
    if larger and step % every == every - 1:
        return 1 + step // every % larger, step // every // larger
    return 0, step - (step // every if larger else 0)


def cumulative_shares(labels: NDArray[np.int64], balance: float) -> NDArray[np.float64]:
    """(N,) rising to 1: sums of how often each photograph is drawn, n^(−balance) for one of a class of n."""
    shares = np.bincount(labels)[labels].astype(np.float64) ** -balance
    total: NDArray[np.float64] = np.cumsum(shares)
    # Exactly 1 at the end, which no number drawn from [0, 1) reaches.
    total /= total[-1]
    return total
