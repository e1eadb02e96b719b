"""How sure is a mean over images? Confidence intervals and a paired test by the Poisson bootstrap.

In every replicate each image counts as often as a Poisson(1) draw says (Hanley and MacGibbon 2006; Chamandy et al.
2012). The draws depend only on the seed and the image's name, so images stream by one at a time, parts of a data set
merge exactly, and two methods seen on the same images share their draws: their difference is a paired one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from diffusionseg.evaluation.exact_sum import SCALE

REPLICATES = 1000
"""Replicates of the bootstrap; the ends of a 95 % interval stand on 25 of them."""
MAX_WEIGHT = 12
"""Draws above are taken as this; one in ten thousand million."""
TOGETHER = 64
"""Images added at once, as one product of matrices."""
_CUMULATIVE = np.cumsum([math.exp(-1) / math.factorial(k) for k in range(MAX_WEIGHT)])


def weights(seed: int, key: str, replicates: int) -> NDArray[np.int64]:
    """How often the image `key` counts in each replicate, Poisson(1) distributed: (replicates,)."""
    digest = hashlib.shake_256(f"{seed}\0{key}".encode(errors="surrogatepass")).digest(4 * replicates)
    uniform = (np.frombuffer(digest, dtype="<u4") + 0.5) / 2**32
    return np.searchsorted(_CUMULATIVE, uniform).astype(np.int64)


@dataclass
class Bootstrap:
    """Weighted sums of every replicate. A number's statistic is its mean, a curve's the maximum of its mean."""

    replicates: int = REPLICATES
    """Replicates, at least 100."""
    seed: int = 0
    """Seed of the draws."""
    images: int = 0
    """Images seen."""
    seen: int = 0
    """Sum of hashes of the images' names: tells whether two methods saw the same images."""
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Sum of weights, (1 + replicates,); the first is the sample itself, where every image counts once."""
    sums: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    """By name the weighted sums of values in units of 1/SCALE, (1 + replicates, values)."""

    def __post_init__(self) -> None:
        if self.replicates < 100:
            raise ValueError(f"{self.replicates} replicates: an interval needs 100 at least")
        self.counts = np.zeros(1 + self.replicates, dtype=np.int64)
        self._waiting: list[tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]] = []

    def update(self, key: str, values: Mapping[str, float | NDArray[np.float64]]) -> None:
        """Add one image by its name, the same for every method, and its measures, numbers or curves in 0…1.

        Raises ValueError where the measures are not those of the earlier images.
        """
        if self.images and self.sums.keys() != values.keys():
            raise ValueError(f"{key}: has {', '.join(values)}, earlier images {', '.join(self.sums)}")
        weight = np.concatenate([[1], weights(self.seed, key, self.replicates)])
        terms = {n: np.rint(np.atleast_1d(np.asarray(v, dtype=np.float64)) * SCALE) for n, v in values.items()}
        for name in () if self.sums else terms:
            self.sums[name] = np.zeros((len(weight), len(terms[name])), dtype=np.int64)
        self._waiting.append((weight, terms))
        if len(self._waiting) == TOGETHER:
            self._settle()
        self.counts += weight
        self.images += 1
        self.seen = (
            self.seen + int.from_bytes(hashlib.sha256(key.encode(errors="surrogatepass")).digest()[:8])
        ) % 2**64

    def merge(self, other: Bootstrap) -> None:
        """Add other images seen with the same seed and measures; ValueError for others."""
        if (other.replicates, other.seed) != (self.replicates, self.seed):
            raise ValueError("cannot merge bootstraps of different seeds or numbers of replicates")
        if other.images == 0:
            return
        self._settle()
        other._settle()
        if self.images and other.sums.keys() != self.sums.keys():
            raise ValueError("cannot merge bootstraps of different measures")
        for name, part in other.sums.items():
            self.sums[name] = self.sums[name] + part if name in self.sums else part.copy()
        self.counts = self.counts + other.counts
        self.images += other.images
        self.seen = (self.seen + other.seen) % 2**64

    def statistic(self, name: str) -> NDArray[np.float64]:
        """The statistic of the sample, then of every replicate; NaN of a replicate without images."""
        self._settle()
        with np.errstate(invalid="ignore"):
            means = self.sums[name] / SCALE / self.counts[:, None]
        return np.asarray(means.max(axis=1))

    def _settle(self) -> None:
        """Add the images that wait. Their products and sums are whole numbers below 2⁵³, which floats add exactly."""
        if self._waiting:
            drawn = np.stack([weight for weight, _ in self._waiting], axis=1).astype(np.float64)
            for name, total in self.sums.items():
                # Not in place: what comes from a worker may be read-only.
                self.sums[name] = total + (drawn @ np.stack([t[name] for _, t in self._waiting])).astype(np.int64)
            self._waiting.clear()

    def interval(self, name: str, level: float = 0.95) -> tuple[float, float]:
        """Percentile interval of a measure."""
        return _percentiles(self.statistic(name)[1:], level)


@dataclass(frozen=True)
class PairedDifference:
    """One method against another on the same images."""

    difference: float
    """Statistic of the one less that of the other."""
    low: float
    """Lower end of its interval."""
    high: float
    """Upper end."""
    p: float
    """Two-sided p value of no difference: twice the smaller share of replicates on one side of 0."""


def paired_difference(one: Bootstrap, other: Bootstrap, name: str, level: float = 0.95) -> PairedDifference:
    """Difference of a measure between two methods. Raises ValueError unless both saw the same images."""
    if (one.images, one.seen, one.seed, one.replicates) != (other.images, other.seen, other.seed, other.replicates):
        raise ValueError("a paired test needs the same images, seed and number of replicates on both sides")
    difference = one.statistic(name) - other.statistic(name)
    drawn = difference[1:][~np.isnan(difference[1:])]
    below, above = int((drawn <= 0).sum()), int((drawn >= 0).sum())
    p = min(1.0, 2 * (min(below, above) + 1) / (len(drawn) + 1))
    return PairedDifference(float(difference[0]), *_percentiles(drawn, level), p)


def _percentiles(values: NDArray[np.float64], level: float) -> tuple[float, float]:
    if not 0 < level < 1:
        raise ValueError(f"level {level}: must lie between 0 and 1")
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
