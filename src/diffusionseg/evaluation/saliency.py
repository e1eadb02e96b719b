"""Accuracy, IoU and maxFβ of saliency maps, as one of the named protocols defines them.

The default is TokenCut's: ground truth is any non-zero pixel; accuracy and IoU of saliency > 0.5, averaged over images;
for maxFβ with β² = 0.3 the F of each image at each of 255 thresholds (saliency > threshold), averaged over images at
each threshold, then the maximum over thresholds. The precision of an empty prediction is 1, so is the recall of an
empty ground truth, and an F of 0/0 is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffusionseg.evaluation.curves import f_measure, precision_recall
from diffusionseg.evaluation.exact_sum import ExactSum
from diffusionseg.evaluation.levels import histograms, object_of, predicted_mask
from diffusionseg.evaluation.protocols import SaliencyProtocol, saliency_protocol


@dataclass(frozen=True)
class ImageScores:
    """One image under one protocol."""

    accuracy: float
    """Share of pixels that the mask has right."""
    iou: float
    """Intersection over union of the mask and the object."""
    precision: NDArray[np.float64]
    """Precision at every threshold, (thresholds,)."""
    recall: NDArray[np.float64]
    """Recall at every threshold, (thresholds,)."""
    f_curve: NDArray[np.float64]
    """F at every threshold, (thresholds,)."""


def image_scores(prediction: NDArray[Any], ground_truth: NDArray[Any], protocol: SaliencyProtocol) -> ImageScores:
    """Measures of saliency (H, W), float in 0…1 or uint8 for levels/255, against its ground truth (H, W).

    The ground truth is bool, or uint8 or float levels that the protocol binarises. Raises ValueError for other shapes,
    types or ranges.
    """
    check(prediction, ground_truth)
    truth = object_of(ground_truth, protocol)
    mask = predicted_mask(prediction, protocol)
    both, either, pixels = _overlap(mask, truth)
    precision, recall = precision_recall(*histograms(prediction, mask, truth, protocol), protocol)
    return ImageScores(
        accuracy=1 - (either - both) / pixels,
        iou=both / (either + protocol.epsilon) if either else protocol.empty_iou,
        precision=precision,
        recall=recall,
        f_curve=f_measure(precision, recall, protocol),
    )


class SaliencyAccumulator:
    """Running means over images. Holds no image; merged parts equal the single run bit for bit, in any order."""

    def __init__(self, protocol: str | SaliencyProtocol = "tokencut") -> None:
        """`protocol` is a name of PROTOCOLS, ValueError for another, or a protocol of your own."""
        self.protocol = saliency_protocol(protocol) if isinstance(protocol, str) else protocol
        self.accuracy, self.iou, self.f = ExactSum(), ExactSum(), ExactSum()

    @property
    def images(self) -> int:
        """Images seen."""
        return self.iou.terms

    def update(self, prediction: NDArray[Any], ground_truth: NDArray[Any]) -> None:
        """Add one image, given as to `image_scores`, which says what is refused."""
        self.add(image_scores(prediction, ground_truth, self.protocol))

    def add(self, scores: ImageScores) -> None:
        """Add one image that was measured under this protocol."""
        self.accuracy.add(scores.accuracy)
        self.iou.add(scores.iou)
        self.f.add(pooled_f(scores, self.protocol))

    def merge(self, other: SaliencyAccumulator) -> None:
        """Add what another accumulator of the same protocol has seen. Raises ValueError for another protocol."""
        if other.protocol != self.protocol:
            raise ValueError(f"cannot merge protocol {other.protocol.name} into {self.protocol.name}")
        self.accuracy.merge(other.accuracy)
        self.iou.merge(other.iou)
        self.f.merge(other.f)

    def result(self) -> dict[str, float | int | str]:
        """`images`, `acc`, `iou`, `max_f` and the protocol's name. Raises ValueError where no image was seen."""
        if self.images == 0:
            raise ValueError("no image was evaluated")
        return {
            "images": self.images,
            "acc": float(self.accuracy.mean()),
            "iou": float(self.iou.mean()),
            "max_f": float(self.f.mean().max()),
            "protocol": self.protocol.name,
        }

    def pooled_threshold(self) -> int | None:
        """Index of the threshold with the best mean F; None where every image has its own."""
        return int(self.f.mean().argmax()) if self.protocol.averaging == "max_of_mean" else None


def pooled_f(scores: ImageScores, protocol: SaliencyProtocol) -> NDArray[np.float64]:
    """What of an image's F is averaged over images: the curve (thresholds,), or its maximum ()."""
    return scores.f_curve if protocol.averaging == "max_of_mean" else np.asarray(scores.f_curve.max())


def mask_iou(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks (H, W) bool; 1 where both are empty (TokenCut's code gives NaN there)."""
    both, either, _ = _overlap(mask, other)
    return both / either if either else 1.0


def check(prediction: NDArray[Any], ground_truth: NDArray[Any]) -> None:
    """Raise ValueError unless both are (H, W) of one size, saliency in 0…1 or uint8, levels likewise or bool."""
    if prediction.shape != ground_truth.shape or prediction.ndim != 2 or prediction.size == 0:
        raise ValueError(f"prediction {prediction.shape} and ground truth {ground_truth.shape} must be the same (H, W)")
    for what, values in (("prediction", prediction), ("ground truth", ground_truth)):
        if values.dtype == np.uint8 or (values is ground_truth and values.dtype == np.bool_):
            continue
        if values.dtype.kind != "f":
            raise ValueError(f"{what} must be float in 0 … 1 or uint8, got {values.dtype}")
        if not (values.min() >= 0 and values.max() <= 1):
            raise ValueError(f"{what} must lie in 0 … 1 without NaN")


def _overlap(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> tuple[int, int, int]:
    both = int(np.count_nonzero(mask & other))
    return both, int(np.count_nonzero(mask)) + int(np.count_nonzero(other)) - both, mask.size
