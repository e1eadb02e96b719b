"""Learning rates over a run."""

from __future__ import annotations

import math


def warm_cosine(step: int, steps: int, warmup: int, final: float = 0.0) -> float:
    """Share of the peak in a step, counted from 0: rises over `warmup` steps, then falls as a cosine.

    It would reach `final` after the last of `steps`.
    """
    if step < warmup:
        return (step + 1) / warmup
    cosine = 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
    return final + (1 - final) * cosine
