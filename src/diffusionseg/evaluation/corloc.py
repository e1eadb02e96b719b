"""CorLoc: share of images whose one box hits any object, as LOST's evaluation code defines it.

valeoai/LOST, main_corloc_evaluation.py: a hit is an IoU of at least 0.5 with any object, boxes are half-open (no +1),
difficult objects count, crowds do not, and every image is in the denominator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Box = Sequence[float]
"""(x0, y0, x1, y1) in pixels, half-open."""
MIN_IOU = 0.5
"""A box with at least this IoU hits an object."""


def box_area(box: Box) -> float:
    """Area of a half-open box in square pixels; 0 for an empty one."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def box_iou(one: Box, other: Box) -> float:
    """Intersection over union of two half-open boxes; 0 for boxes without area."""
    shared = box_area(
        (max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])),
    )
    return shared / (box_area(one) + box_area(other) - shared) if shared else 0.0


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
