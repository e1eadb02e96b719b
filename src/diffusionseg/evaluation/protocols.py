"""Named definitions of the saliency measures: numbers are comparable only under the same one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SaliencyProtocol:
    """What differs between the public evaluation codes."""

    name: str
    """As given to `--protocol` and printed beside every number."""
    mask_threshold: float
    """A pixel belongs to the predicted mask of accuracy and IoU where saliency lies above this, 0 to 1."""
    beta_squared: float
    """Weight of precision in F; the value that enters the formula."""
    thresholds: int
    """Number of thresholds of the F curve, k/thresholds for k = 0, 1, …"""


TOKENCUT = SaliencyProtocol("tokencut", mask_threshold=0.5, beta_squared=0.3, thresholds=255)
"""YangtaoWANG95/TokenCut, unsupervised_saliency_detection/metric.py. F of every image at every threshold, averaged over
images at each threshold, then the maximum over thresholds."""

PROTOCOLS = {protocol.name: protocol for protocol in (TOKENCUT,)}


def saliency_protocol(name: str) -> SaliencyProtocol:
    """The protocol of a name. Raises ValueError naming those that exist."""
    if name not in PROTOCOLS:
        raise ValueError(f"--protocol {name}: choose from {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
