"""Mean precision, recall and F at every threshold of a protocol: the curves that a report draws."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from diffusionseg.evaluation.exact_sum import ExactSum
from diffusionseg.evaluation.levels import thresholds
from diffusionseg.evaluation.protocols import SaliencyProtocol
from diffusionseg.evaluation.saliency import ImageScores


@dataclass
class CurveMeans:
    """Running means over images. Merged parts equal the single run bit for bit."""

    precision: ExactSum = field(default_factory=ExactSum)
    recall: ExactSum = field(default_factory=ExactSum)
    f: ExactSum = field(default_factory=ExactSum)

    def add(self, scores: ImageScores) -> None:
        """Add one image."""
        self.precision.add(scores.precision)
        self.recall.add(scores.recall)
        self.f.add(scores.f_curve)

    def merge(self, other: CurveMeans) -> None:
        """Add what others of the same protocol have seen."""
        self.precision.merge(other.precision)
        self.recall.merge(other.recall)
        self.f.merge(other.f)

    def result(self, protocol: SaliencyProtocol) -> dict[str, Any]:
        """`thresholds` of saliency, 0 to 1, and `precision`, `recall`, `f` at each, with the protocol's name.

        Where the protocol measures masks all thresholds say the same, and only one is told.
        """
        steps = np.arange(256) / 255 if protocol.grid == "bytes" else thresholds(protocol.thresholds)
        at = steps if protocol.soft else np.array([protocol.mask_threshold])
        means = {"precision": self.precision, "recall": self.recall, "f": self.f}
        told = {name: total.mean()[: len(at)].tolist() for name, total in means.items()}
        return {"protocol": protocol.name, "thresholds": at.tolist(), **told}
