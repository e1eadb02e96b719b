"""CorLoc: share of images whose one box hits any object, as LOST's evaluation code defines it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Box = Sequence[float]
"""(x0, y0, x1, y1) in pixels, half-open."""
MIN_IOU = 0.5


def box_iou(one: Box, other: Box) -> float:
    """Intersection over union of two half-open boxes; 0 for boxes without area."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return shared / (areas - shared)


@dataclass
class CorLocAccumulator:
    """Counts over images; parts of a data set can be merged."""

    images: int = 0
    """Images seen; an image without a predicted box counts as a miss."""
    hits: int = 0
    """Images whose box has an IoU of at least 0.5 with an object."""

    def update(self, box: Box | None, objects: Sequence[Box]) -> None:
        """Add one image: its best predicted box, or None, and the boxes of all its objects, difficult ones included."""
        self.images += 1
        self.hits += box is not None and any(box_iou(box, o) >= MIN_IOU for o in objects)

    def merge(self, other: CorLocAccumulator) -> None:
        """Add what another accumulator has seen."""
        self.images += other.images
        self.hits += other.hits

    def result(self) -> dict[str, float | int | str]:
        """`images`, `corloc` (0 to 1) and the protocol's name. Raises ValueError where no image was seen."""
        if self.images == 0:
            raise ValueError("no image was evaluated")
        return {"images": self.images, "corloc": self.hits / self.images, "protocol": "lost"}
