"""Which segment of a photograph is its main object, where a method only divides it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def main_segment(segments: NDArray[np.integer]) -> NDArray[np.float64]:
    """1 in the segment that covers most of the photograph beyond what it covers of its rim, else 0: (h, w).

    segments: (h, w), one number, at least 0, for each segment. Share of the area minus share of the rim is negative for
    a background that touches every side, small for specks, and largest for something large that keeps off the border.
    This rule is ours; DiffSeg and DiffCut do not say what the main object is. A single segment is taken whole.
    """
    count = int(segments.max()) + 1
    rim = np.ones(segments.shape, dtype=bool)
    rim[1:-1, 1:-1] = False
    area = np.bincount(segments.ravel(), minlength=count) / segments.size
    border = np.bincount(segments[rim], minlength=count) / np.count_nonzero(rim)
    score = np.where(area > 0, area - border, -np.inf)
    return np.asarray(segments == np.argmax(score), dtype=np.float64)
