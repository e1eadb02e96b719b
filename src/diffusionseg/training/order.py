"""Order of data and randomness of a step, functions of (seed, step) alone, so that a resumed run is the same run."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray


@lru_cache(maxsize=4)
def _permutation(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, epoch)).permutation(count)


def batch_indices(count: int, batch_size: int, seed: int, step: int) -> NDArray[np.int64]:
    """Indices (batch_size,) of step `step`: one epoch's permutation of `count` items after the other, without gaps."""
    first, last = step * batch_size, (step + 1) * batch_size
    epochs = range(first // count, (last - 1) // count + 1)
    parts = [_permutation(count, seed, e)[max(first - e * count, 0) : last - e * count] for e in epochs]
    return np.concatenate(parts)


def step_generator(seed: int, step: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator on `device` for everything random in step `step`; another device's draws differ."""
    mixed = np.random.SeedSequence((seed, step)).generate_state(2, np.uint32)
    return torch.Generator(device).manual_seed(int(mixed[0]) << 31 ^ int(mixed[1]))
