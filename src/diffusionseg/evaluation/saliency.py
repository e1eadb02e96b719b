"""Accuracy, IoU and maxFβ of saliency maps, as TokenCut's evaluation code defines them.

Ground truth is any non-zero pixel; accuracy and IoU of saliency > 0.5, averaged over images; for maxFβ with β² = 0.3
the F of each image at each of 255 thresholds (saliency > threshold), averaged over images at each threshold, then the
maximum over thresholds. The precision of an empty prediction is 1, so is the recall of an empty ground truth, and an F
of 0/0 is 0. Where prediction and ground truth are both empty TokenCut's IoU is NaN and so is its mean; here it is 1.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from diffusionseg.evaluation.exact_sum import ExactSum
from diffusionseg.evaluation.protocols import SaliencyProtocol, saliency_protocol


class SaliencyAccumulator:
    """Running means over images. Holds no image; merged parts equal the single run bit for bit, in any order."""

    def __init__(self, protocol: str = "tokencut") -> None:
        """`protocol` is a name of PROTOCOLS; ValueError for another."""
        self.protocol = saliency_protocol(protocol)
        self.accuracy, self.iou, self.f_curve = ExactSum(), ExactSum(), ExactSum()

    @property
    def images(self) -> int:
        """Images seen."""
        return self.iou.terms

    def update(self, prediction: NDArray[np.floating] | NDArray[np.uint8], ground_truth: NDArray[np.bool_]) -> None:
        """Add one image: saliency (H, W), float in 0…1 or uint8 for levels/255, and its mask (H, W) bool.

        Raises ValueError for other shapes, types or ranges.
        """
        _check(prediction, ground_truth)
        level, mask_level = _levels(prediction, self.protocol)
        bins = self.protocol.thresholds + 1
        counts = np.bincount(level.ravel(), minlength=bins)
        hits = np.bincount(level[ground_truth], minlength=bins)
        self.f_curve.add(_f_curve(counts, hits, self.protocol))
        mask = mask_level.ravel()
        both, either, pixels = _overlap(mask, ground_truth.ravel())
        self.iou.add(both / either if either else 1.0)
        self.accuracy.add(1 - (either - both) / pixels)

    def merge(self, other: SaliencyAccumulator) -> None:
        """Add what another accumulator of the same protocol has seen. Raises ValueError for another protocol."""
        if other.protocol != self.protocol:
            raise ValueError(f"cannot merge protocol {other.protocol.name} into {self.protocol.name}")
        self.accuracy.merge(other.accuracy)
        self.iou.merge(other.iou)
        self.f_curve.merge(other.f_curve)

    def result(self) -> dict[str, float | int | str]:
        """`images`, `acc`, `iou`, `max_f` and the protocol's name. Raises ValueError where no image was seen."""
        if self.images == 0:
            raise ValueError("no image was evaluated")
        return {
            "images": self.images,
            "acc": float(self.accuracy.mean()),
            "iou": float(self.iou.mean()),
            "max_f": float(self.f_curve.mean().max()),
            "protocol": self.protocol.name,
        }


def mask_iou(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks (H, W) bool; 1 where both are empty (TokenCut's code gives NaN there)."""
    both, either, _ = _overlap(mask, other)
    return both / either if either else 1.0


def thresholds(number: int) -> NDArray[np.float64]:
    """k/number for k = 0, 1, …, rounded the way `arange` rounds in TokenCut's code: (number,)."""
    return np.arange(0.0, 1.0, 1.0 / number)


def _overlap(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> tuple[int, int, int]:
    both = int(np.count_nonzero(mask & other))
    return both, int(np.count_nonzero(mask)) + int(np.count_nonzero(other)) - both, mask.size


def _check(prediction: NDArray[np.generic], ground_truth: NDArray[np.bool_]) -> None:
    if prediction.shape != ground_truth.shape or prediction.ndim != 2 or prediction.size == 0:
        raise ValueError(f"prediction {prediction.shape} and ground truth {ground_truth.shape} must be the same (H, W)")
    if ground_truth.dtype != np.bool_:
        raise ValueError(f"ground truth must be bool, got {ground_truth.dtype}")
    if prediction.dtype == np.uint8:
        return
    if prediction.dtype.kind != "f":
        raise ValueError(f"prediction must be float in 0 … 1 or uint8, got {prediction.dtype}")
    if not (prediction.min() >= 0 and prediction.max() <= 1):
        raise ValueError("prediction must lie in 0 … 1 without NaN")


def _levels(prediction: NDArray[np.generic], protocol: SaliencyProtocol) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """For each pixel the number of thresholds below its saliency, and whether it belongs to the mask."""
    if prediction.dtype == np.uint8:
        table, mask_table = _tables(protocol)
        return table[prediction], mask_table[prediction]
    saliency = prediction.astype(np.float64)
    level = np.searchsorted(thresholds(protocol.thresholds), saliency, side="left")
    return level, saliency > protocol.mask_threshold


@cache
def _tables(protocol: SaliencyProtocol) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """`_levels` of the 256 values that 8 bits can have, from the same comparisons of floats."""
    return _levels(np.arange(256, dtype=np.float64) / 255, protocol)


def _f_curve(counts: NDArray[np.intp], hits: NDArray[np.intp], protocol: SaliencyProtocol) -> NDArray[np.float64]:
    """F at every threshold from the histograms of levels, of all pixels and of those of the object: (thresholds,)."""
    # Pixels with a level above k are those that lie above threshold k.
    positive = counts[::-1].cumsum()[::-1][1:]
    true = hits[::-1].cumsum()[::-1][1:]
    objects = int(hits.sum())
    precision = np.where(positive > 0, true / np.maximum(positive, 1), 1.0)
    recall = true / objects if objects else np.ones(len(true))
    below = protocol.beta_squared * precision + recall
    return (1 + protocol.beta_squared) * precision * recall / np.where(below > 0, below, 1.0)
