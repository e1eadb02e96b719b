"""Accuracy, IoU and maxFβ of saliency maps, as TokenCut's evaluation code defines them.

Protocol `tokencut` (YangtaoWANG95/TokenCut, `unsupervised_saliency_detection/metric.py`; MOVE's is the same): ground
truth is any non-zero pixel; accuracy and IoU at saliency > 0.5, averaged over images; for maxFβ with β² = 0.3 the F of
each image at each of 255 thresholds k/255 (saliency > threshold), averaged over images at each threshold, then the
maximum over thresholds. The precision of an empty prediction is 1, an F of 0/0 is 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

PROTOCOL = "tokencut"
BETA_SQUARED = 0.3
THRESHOLDS = np.arange(0.0, 1.0, 1.0 / 255)
"""255 thresholds, as TokenCut's code makes them."""


@dataclass
class SaliencyAccumulator:
    """Sums over images; holds no image, and parts of a data set can be merged."""

    images: int = 0
    """Images seen."""
    accuracy: float = 0.0
    """Sum of accuracies."""
    iou: float = 0.0
    """Sum of intersections over union."""
    f_curve: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(THRESHOLDS)))
    """Sum of F at each threshold."""

    def update(self, prediction: ArrayLike, ground_truth: NDArray[np.bool_]) -> None:
        """Add one image: saliency (H, W) in 0…1 and its mask (H, W) bool; ValueError for other shapes or ranges."""
        saliency = np.asarray(prediction, dtype=np.float64)
        if saliency.shape != ground_truth.shape or saliency.ndim != 2 or saliency.size == 0:
            raise ValueError(
                f"prediction {saliency.shape} and ground truth {ground_truth.shape} must be the same (H, W)"
            )
        if ground_truth.dtype != np.bool_:
            raise ValueError(f"ground truth must be bool, got {ground_truth.dtype}")
        if not (saliency.min() >= 0 and saliency.max() <= 1):
            raise ValueError("prediction must lie in 0 … 1 without NaN")
        mask = saliency > 0.5
        self.images += 1
        self.accuracy += float((mask == ground_truth).mean())
        self.iou += mask_iou(mask, ground_truth)
        self.f_curve += f_curve(saliency, ground_truth)

    def merge(self, other: SaliencyAccumulator) -> None:
        """Add what another accumulator has seen."""
        self.images += other.images
        self.accuracy += other.accuracy
        self.iou += other.iou
        self.f_curve += other.f_curve

    def result(self) -> dict[str, float | int | str]:
        """`images`, `acc`, `iou`, `max_f` and the protocol's name. Raises ValueError where no image was seen."""
        if self.images == 0:
            raise ValueError("no image was evaluated")
        return {
            "images": self.images,
            "acc": self.accuracy / self.images,
            "iou": self.iou / self.images,
            "max_f": float(self.f_curve.max()) / self.images,
            "protocol": PROTOCOL,
        }


def mask_iou(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Intersection over union; 1 where both are empty (TokenCut's code gives NaN there)."""
    union = int((mask | other).sum())
    return int((mask & other).sum()) / union if union else 1.0


def f_curve(saliency: NDArray[np.float64], ground_truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """F of `saliency` > t for every t of THRESHOLDS: (255,)."""
    # Number of thresholds below each value: pixel is positive at the first `level` thresholds.
    level = np.searchsorted(THRESHOLDS, saliency.ravel(), side="left")
    bins = len(THRESHOLDS) + 1
    positive = np.bincount(level, minlength=bins)[::-1].cumsum()[::-1][1:]
    hits = np.bincount(level[ground_truth.ravel()], minlength=bins)[::-1].cumsum()[::-1][1:]
    objects = int(ground_truth.sum())
    precision = np.where(positive > 0, hits / np.maximum(positive, 1), 1.0)
    recall = hits / objects if objects else np.ones(len(THRESHOLDS))
    below = BETA_SQUARED * precision + recall
    return np.where(below > 0, (1 + BETA_SQUARED) * precision * recall / np.where(below > 0, below, 1), 0.0)
