"""What is told of every single image: for galleries, failure analysis and plots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffusionseg.evaluation.levels import object_of, saliency_of
from diffusionseg.evaluation.protocols import SaliencyProtocol
from diffusionseg.evaluation.saliency import ImageScores


@dataclass(frozen=True)
class ImageRecord:
    """One image under the first protocol that was asked for."""

    stem: str
    """Name without extension, with sub-folders."""
    iou: float
    """IoU of mask and object."""
    acc: float
    """Share of pixels that are right."""
    mae: float
    """Mean absolute difference of saliency and object."""
    max_f: float
    """F at the image's own best threshold."""
    pooled_f: float
    """F at the threshold that is best over all images; `max_f` where the protocol has no such threshold."""
    share: float
    """Share of the image that is object, 0 to 1."""
    touches_border: bool
    """Whether the object reaches the border of the image."""


@dataclass(frozen=True)
class Unpooled:
    """A record whose pooled threshold is not yet known."""

    stem: str
    iou: float
    acc: float
    mae: float
    f_curve: NDArray[np.float64]
    share: float
    touches_border: bool

    def record(self, pooled_threshold: int | None) -> ImageRecord:
        """The record, given the index of the threshold that is best over all images."""
        curve = self.f_curve
        return ImageRecord(
            self.stem,
            iou=self.iou,
            acc=self.acc,
            mae=self.mae,
            max_f=float(curve.max()),
            pooled_f=float(curve.max() if pooled_threshold is None else curve[pooled_threshold]),
            share=self.share,
            touches_border=self.touches_border,
        )


def unpooled(
    stem: str, scores: ImageScores, prediction: NDArray[Any], ground_truth: NDArray[Any], protocol: SaliencyProtocol
) -> Unpooled:
    """What is known of an image, arrays (H, W) as given to `image_scores`, before the others were seen."""
    truth = object_of(ground_truth, protocol)
    return Unpooled(
        stem,
        iou=scores.iou,
        acc=scores.accuracy,
        f_curve=scores.f_curve,
        mae=float(np.abs(saliency_of(prediction, protocol) - truth).mean()),
        share=float(truth.mean()),
        touches_border=bool(truth[0].any() or truth[-1].any() or truth[:, 0].any() or truth[:, -1].any()),
    )
