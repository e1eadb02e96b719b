"""Further measures of saliency maps, under the conventions of PySODMetrics (protocol `pysod`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffusionseg.evaluation.alignment import e_measure
from diffusionseg.evaluation.boundary import boundary_f
from diffusionseg.evaluation.curves import f_measure, pixels_passing, precision_recall
from diffusionseg.evaluation.exact_sum import ExactSum
from diffusionseg.evaluation.levels import binary_histograms, histograms, object_of, saliency_of
from diffusionseg.evaluation.protocols import PYSOD, SaliencyProtocol
from diffusionseg.evaluation.saliency import check
from diffusionseg.evaluation.structure import s_measure
from diffusionseg.evaluation.weighted_f import weighted_f

Values = dict[str, float | NDArray[np.float64]]
FAMILIES: dict[str, tuple[str, ...]] = {
    "mae": ("mae",),
    "f": ("f_adaptive", "f_curve"),
    "e": ("e_adaptive", "e_curve"),
    "s": ("s_measure",),
    "weighted-f": ("weighted_f",),
    "pr": ("precision", "recall"),
    "miou": ("miou",),
    "boundary-f": ("boundary_f",),
}
"""What `--measures` chooses from, and what each family averages over images."""


def measure_families(names: Iterable[str]) -> tuple[str, ...]:
    """Names of FAMILIES, each once; `all` stands for every one. Raises ValueError naming those that exist."""
    chosen = [one for name in names for one in (FAMILIES if name == "all" else (name,))]
    unknown = [name for name in chosen if name not in FAMILIES]
    if unknown:
        raise ValueError(f"--measures {','.join(unknown)}: choose from {', '.join(FAMILIES)}, or all")
    return tuple(dict.fromkeys(chosen))


class MeasureAccumulator:
    """Running means of chosen measures. Holds no image; merged parts equal the single run bit for bit."""

    def __init__(self, families: Iterable[str] = ("all",), protocol: SaliencyProtocol = PYSOD) -> None:
        """`families` as `measure_families` takes them; `protocol` says how saliency and ground truth are prepared."""
        self.families, self.protocol = measure_families(families), protocol
        self.sums = {name: ExactSum() for family in self.families for name in FAMILIES[family]}

    @property
    def images(self) -> int:
        """Images seen."""
        return max((s.terms for s in self.sums.values()), default=0)

    def update(self, prediction: NDArray[Any], ground_truth: NDArray[Any]) -> Values:
        """Add one image, given as to `image_scores`; returns its own values, curves (256,) included."""
        values = image_measures(prediction, ground_truth, self.families, self.protocol)
        for name, value in values.items():
            self.sums[name].add(value)
        return values

    def merge(self, other: MeasureAccumulator) -> None:
        """Add what another accumulator of the same measures has seen. Raises ValueError for others."""
        if (other.families, other.protocol) != (self.families, self.protocol):
            raise ValueError(f"cannot merge measures {', '.join(other.families)} into {', '.join(self.families)}")
        for name, part in other.sums.items():
            self.sums[name].merge(part)

    def result(self) -> dict[str, Any]:
        """Means by name; of a curve its maximum and mean, of precision and recall the curves themselves."""
        if self.images == 0:
            raise ValueError("no image was evaluated")
        values: dict[str, Any] = {}
        for name, total in self.sums.items():
            mean = total.mean()
            if name.endswith("_curve"):
                letter = name.removesuffix("_curve")
                values |= {f"{letter}_max": float(mean.max()), f"{letter}_mean": float(mean.mean())}
            else:
                values[name] = mean.tolist()
        return values


def image_measures(
    prediction: NDArray[Any], ground_truth: NDArray[Any], families: Iterable[str], protocol: SaliencyProtocol = PYSOD
) -> Values:
    """The values of one image that the families average; arguments as of `image_scores`."""
    check(prediction, ground_truth)
    truth, saliency = object_of(ground_truth, protocol), saliency_of(prediction, protocol)
    mask = saliency > protocol.mask_threshold
    image = _Prepared(saliency, truth, mask, *histograms(prediction, mask, truth, protocol), protocol)
    values: Values = {}
    for family in families:
        values |= _MEASURES[family](image)
    return values


def adaptive_mask(saliency: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Saliency (H, W) of at least twice its mean, or at least 1 where that is more (Achanta et al. 2009)."""
    return np.asarray(saliency >= min(2 * saliency.mean(), 1.0))


def class_mean_iou(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Mean of the IoU of object and background, 0 to 1; a class that neither mask has counts as 1."""
    total = 0.0
    for one, other in ((mask, truth), (~mask, ~truth)):
        either = np.count_nonzero(one | other)
        total += np.count_nonzero(one & other) / either if either else 1.0
    return total / 2


@dataclass(frozen=True, eq=False)
class _Prepared:
    """One image as its protocol sees it."""

    saliency: NDArray[np.float64]
    truth: NDArray[np.bool_]
    mask: NDArray[np.bool_]
    counts: NDArray[np.intp]
    hits: NDArray[np.intp]
    protocol: SaliencyProtocol


def _f(image: _Prepared) -> Values:
    adaptive = binary_histograms(adaptive_mask(image.saliency), image.truth)
    return {
        "f_adaptive": float(f_measure(*precision_recall(*adaptive, image.protocol), image.protocol)[0]),
        "f_curve": f_measure(*precision_recall(image.counts, image.hits, image.protocol), image.protocol),
    }


def _e(image: _Prepared) -> Values:
    objects, pixels = int(image.hits.sum()), image.truth.size
    one, of_object = (pixels_passing(part) for part in binary_histograms(adaptive_mask(image.saliency), image.truth))
    return {
        "e_adaptive": float(e_measure(one, of_object, objects, pixels)[0]),
        "e_curve": e_measure(pixels_passing(image.counts), pixels_passing(image.hits), objects, pixels),
    }


def _pr(image: _Prepared) -> Values:
    precision, recall = precision_recall(image.counts, image.hits, image.protocol)
    return {"precision": precision, "recall": recall}


_MEASURES: dict[str, Callable[[_Prepared], Values]] = {
    "mae": lambda image: {"mae": float(np.abs(image.saliency - image.truth).mean())},
    "f": _f,
    "e": _e,
    "s": lambda image: {"s_measure": s_measure(image.saliency, image.truth)},
    "weighted-f": lambda image: {"weighted_f": weighted_f(image.saliency, image.truth)},
    "pr": _pr,
    "miou": lambda image: {"miou": class_mean_iou(image.mask, image.truth)},
    "boundary-f": lambda image: {"boundary_f": boundary_f(image.mask, image.truth)},
}
