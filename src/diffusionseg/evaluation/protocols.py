"""Named definitions of the saliency measures: numbers are comparable only under the same one.

docs/evaluation.md tells each with its source.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class SaliencyProtocol:
    """What differs between the public evaluation codes."""

    name: str
    """As given to `--protocol` and printed beside every number."""
    ground_truth_above: float = 0.0
    """A ground-truth pixel belongs to the object where its level lies above this, 0 to 255."""
    mask_threshold: float = 0.5
    """A pixel belongs to the predicted mask of accuracy and IoU where saliency lies above this, 0 to 1."""
    beta_squared: float = 0.3
    """Weight of precision in F; the value that enters the formula."""
    thresholds: int = 255
    """Number of thresholds of the F curve."""
    grid: Literal["steps", "bytes"] = "steps"
    """steps: saliency above k/thresholds, k = 0, 1, …; bytes: floor(255 · saliency) at least k, k = 0 … 255."""
    averaging: Literal["max_of_mean", "mean_of_max"] = "max_of_mean"
    """Whether maxF is the best of the mean curve, one threshold for all, or the mean of every image's own best."""
    component: Literal["all", "largest"] = "all"
    """Whether the whole predicted mask counts or its largest part only (4 neighbours)."""
    soft: bool = True
    """Whether F is measured on saliency; else on the predicted mask, where every threshold says the same."""
    normalise: bool = False
    """Whether saliency is stretched to 0 … 1, image by image, before anything else."""
    empty_precision: float = 1.0
    """Precision where nothing is predicted."""
    empty_recall: float = 1.0
    """Recall where the ground truth is empty."""
    empty_iou: float = 1.0
    """IoU where prediction and ground truth are both empty."""
    epsilon: float = 0.0
    """What the code adds to every denominator; where it is 0 an F of 0/0 is 0."""
    single_precision: bool = False
    """Whether saliency and thresholds are compared as 32-bit floats, as torch does."""
    resize_levels: bool = False
    """Whether predictions of another size are resized as 8-bit levels; else as floats."""

    def definition(self) -> dict[str, Any]:
        """All fields but the name, for reports."""
        return {key: value for key, value in asdict(self).items() if key != "name"}

    def summary(self) -> str:
        """What a reader needs beside a number, in a few words."""
        where = "one threshold for all images" if self.averaging == "max_of_mean" else "each image's own best threshold"
        measured = f"{where}, {self.thresholds} thresholds" if self.soft else "of the mask"
        kept = ", largest part only" if self.component == "largest" else ""
        return f"object where level > {self.ground_truth_above:g}; F: β² {self.beta_squared:g}, {measured}{kept}"


TOKENCUT = SaliencyProtocol("tokencut")
"""YangtaoWANG95/TokenCut, unsupervised_saliency_detection/metric.py. Its IoU is NaN where both are empty; here 1."""

MOVE = SaliencyProtocol(
    "move", ground_truth_above=127.5, thresholds=256, empty_iou=0.0, single_precision=True, resize_levels=True
)
"""adambielski/move-seg, segmentation_eval.py --fbeta."""

SELFMASK = SaliencyProtocol(
    "selfmask",
    beta_squared=0.3**2,
    averaging="mean_of_max",
    empty_precision=0.0,
    empty_recall=0.0,
    empty_iou=0.0,
    epsilon=1e-7,
    single_precision=True,
)
"""NoelShin/selfmask, evaluator.py and metrics/: a parameter `beta_square` of 0.3 is squared once more."""

FOUND_MULTI = SaliencyProtocol(**{**asdict(SELFMASK), "name": "found-multi", "ground_truth_above": 254.5})
"""valeoai/FOUND, evaluation/saliency.py in mode multi: SelfMask's measures, object where the level is 255."""

FOUND_SINGLE = SaliencyProtocol(
    **{**asdict(FOUND_MULTI), "name": "found-single", "component": "largest", "soft": False}
)
"""valeoai/FOUND in mode single: of the predicted mask, the largest part."""

UNIONCUT = SaliencyProtocol(
    "unioncut",
    beta_squared=0.3**2,
    averaging="mean_of_max",
    soft=False,
    empty_precision=0.0,
    empty_recall=0.0,
)
"""YFaris/UnionCut, Evaluation/saliency_metrics.py: F of the mask. Its IoU is NaN where both are empty; here 1."""

PYSOD = SaliencyProtocol(
    "pysod",
    ground_truth_above=128.0,
    thresholds=256,
    grid="bytes",
    normalise=True,
    empty_precision=0.0,
    empty_recall=0.0,
    empty_iou=0.0,
)
"""lartpang/PySODMetrics 1.6, FmeasureV2 with its dynamic F and its binary IoU and accuracy."""

PROTOCOLS = {p.name: p for p in (TOKENCUT, MOVE, SELFMASK, FOUND_SINGLE, FOUND_MULTI, UNIONCUT, PYSOD)}
GROUPS = {"found": ("found-single", "found-multi"), "all": tuple(PROTOCOLS)}
"""Names that stand for several protocols."""


def saliency_protocol(name: str) -> SaliencyProtocol:
    """The protocol of a name. Raises ValueError naming those that exist."""
    if name not in PROTOCOLS:
        raise ValueError(f"--protocol {name}: choose from {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def protocols_named(names: Iterable[str]) -> tuple[SaliencyProtocol, ...]:
    """The protocols of names and of groups of names, each once, in the order given. Raises ValueError as above."""
    single = [one for name in names for one in GROUPS.get(name, (name,))]
    unknown = [name for name in single if name not in PROTOCOLS]
    if unknown or not single:
        known = ", ".join((*PROTOCOLS, *GROUPS))
        raise ValueError(f"--protocol {' '.join(unknown) or 'needs a name'}: choose from {known}")
    return tuple(PROTOCOLS[name] for name in dict.fromkeys(single))
