"""From saliency and ground-truth levels to what a protocol counts: its thresholds below each pixel, and two masks."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffusionseg.evaluation.protocols import SaliencyProtocol


def object_of(ground_truth: NDArray[Any], protocol: SaliencyProtocol) -> NDArray[np.bool_]:
    """The object (H, W): bool as it is, uint8 levels or floats in 0…1 above the protocol's level."""
    if ground_truth.dtype == np.bool_:
        return ground_truth
    scale = 1.0 if ground_truth.dtype == np.uint8 else 255.0
    return np.asarray(ground_truth * scale > protocol.ground_truth_above)


def saliency_of(prediction: NDArray[Any], protocol: SaliencyProtocol) -> NDArray[np.float64]:
    """Saliency (H, W) in 0…1 as the protocol sees it, of uint8 levels or floats."""
    if prediction.dtype != np.uint8:
        return _stretched(prediction.astype(np.float64)) if protocol.normalise else prediction.astype(np.float64)
    table = np.arange(256, dtype=np.float64) / 255
    if protocol.normalise:
        low, high = int(prediction.min()), int(prediction.max())
        table[low : high + 1] = _stretched(table[low : high + 1])
    return np.asarray(table[prediction])


def thresholds(number: int) -> NDArray[np.float64]:
    """k/number for k = 0, 1, …, rounded the way `arange` rounds in the codes: (number,)."""
    return np.arange(0.0, 1.0, 1.0 / number)


def thresholds_passed(saliency: NDArray[np.float64], protocol: SaliencyProtocol) -> NDArray[np.intp]:
    """For each value of saliency, the number of thresholds it passes, 0 to protocol.thresholds."""
    if protocol.grid == "bytes":
        return (saliency * 255).astype(np.intp) + 1
    dtype = np.float32 if protocol.single_precision else np.float64
    return np.searchsorted(thresholds(protocol.thresholds).astype(dtype), saliency.astype(dtype), side="left")


def predicted_mask(prediction: NDArray[Any], protocol: SaliencyProtocol) -> NDArray[np.bool_]:
    """The mask of accuracy and IoU (H, W): saliency above the protocol's threshold, where it says so its largest part.

    Of parts of equal size the last one in reading order is kept, as in FOUND's code.
    """
    if prediction.dtype == np.uint8 and not protocol.normalise:
        mask = np.asarray(prediction > np.count_nonzero(np.arange(256) / 255 <= protocol.mask_threshold) - 1)
    else:
        mask = saliency_of(prediction, protocol) > protocol.mask_threshold
    if protocol.component == "all" or not mask.any():
        return mask
    from scipy import ndimage

    label, number = ndimage.label(mask)
    sizes = np.bincount(label.ravel(), minlength=number + 1)[1:]
    return np.asarray(label == number - int(sizes[::-1].argmax()))


def histograms(
    prediction: NDArray[Any], mask: NDArray[np.bool_], ground_truth: NDArray[np.bool_], protocol: SaliencyProtocol
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """How many pixels, and how many of the object, pass 0, 1, … thresholds: twice (thresholds + 1,)."""
    bins = protocol.thresholds + 1
    if not protocol.soft:
        return binary_histograms(mask, ground_truth, bins)
    if prediction.dtype == np.uint8:
        passed = _passed_by_level(prediction, protocol)
        counts, hits = (
            np.bincount(passed, weights=np.bincount(part.ravel(), minlength=256), minlength=bins).astype(np.intp)
            for part in (prediction, prediction[ground_truth])
        )
        return counts, hits
    levels = thresholds_passed(saliency_of(prediction, protocol), protocol)
    return np.bincount(levels.ravel(), minlength=bins), np.bincount(levels[ground_truth], minlength=bins)


def binary_histograms(
    mask: NDArray[np.bool_], ground_truth: NDArray[np.bool_], bins: int = 2
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """`histograms` of a mask whose pixels pass all of bins − 1 thresholds, and the others none: twice (bins,)."""
    counts, hits = np.zeros((2, bins), dtype=np.intp)
    counts[-1], hits[-1] = np.count_nonzero(mask), np.count_nonzero(mask & ground_truth)
    counts[0], hits[0] = mask.size - counts[-1], np.count_nonzero(ground_truth) - hits[-1]
    return counts, hits


def _passed_by_level(prediction: NDArray[np.uint8], protocol: SaliencyProtocol) -> NDArray[np.intp]:
    """`thresholds_passed` of the 256 values that 8 bits can have, from the same comparisons of floats."""
    if not protocol.normalise:
        return _table(protocol)
    low, high = int(prediction.min()), int(prediction.max())
    table = np.zeros(256, dtype=np.intp)
    levels = np.arange(low, high + 1, dtype=np.float64) / 255
    table[low : high + 1] = thresholds_passed(_stretched(levels), protocol)
    return table


@cache
def _table(protocol: SaliencyProtocol) -> NDArray[np.intp]:
    return thresholds_passed(np.arange(256, dtype=np.float64) / 255, protocol)


def _stretched(values: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = values.min(), values.max()
    return values if low == high else (values - low) / (high - low)
