"""Precision, recall and F at every threshold, from histograms of the thresholds that pixels pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffusionseg.evaluation.protocols import SaliencyProtocol


def pixels_passing(histogram: NDArray[np.intp]) -> NDArray[np.intp]:
    """Pixels that pass threshold k, (thresholds,), of those that pass exactly 0, 1, … thresholds, (thresholds + 1,)."""
    return np.asarray(histogram[::-1].cumsum()[::-1][1:])


def precision_recall(
    counts: NDArray[np.intp], hits: NDArray[np.intp], protocol: SaliencyProtocol
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall at every threshold, (thresholds,) each, 0 to 1.

    `counts` and `hits` (thresholds + 1,) are the histograms of all pixels and of those of the object.
    """
    positive, true, objects = pixels_passing(counts), pixels_passing(hits), int(hits.sum())
    precision = np.where(positive > 0, true / (np.maximum(positive, 1) + protocol.epsilon), protocol.empty_precision)
    recall = true / (objects + protocol.epsilon) if objects else np.full(len(true), protocol.empty_recall)
    return precision, recall


def f_measure(
    precision: NDArray[np.float64], recall: NDArray[np.float64], protocol: SaliencyProtocol
) -> NDArray[np.float64]:
    """Fβ = (1 + β²) P R / (β² P + R), Achanta et al. 2009, equation 8: the weighted harmonic mean; 0/0 is 0."""
    below = protocol.beta_squared * precision + recall + protocol.epsilon
    return (1 + protocol.beta_squared) * precision * recall / np.where(below > 0, below, 1.0)
