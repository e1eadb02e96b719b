"""What CorLoc says of every single image."""

from __future__ import annotations

from dataclasses import dataclass

from diffusionseg.data import ImageBoxes
from diffusionseg.evaluation.corloc import MIN_IOU, Box, box_area, box_iou


@dataclass(frozen=True)
class BoxRecord:
    """One image under LOST's protocol."""

    image: str
    """Its path as the ground truth names it."""
    hit: bool
    """Whether the predicted box has an IoU of at least 0.5 with an object."""
    iou: float
    """Largest IoU of the predicted box with an object; 0 where nothing was predicted."""
    share: float
    """Share of the image that the largest object's box covers, 0 to 1."""
    touches_border: bool
    """Whether that box reaches the border of the image."""
    box: Box | None
    """The predicted box, None where nothing was predicted."""
    objects: tuple[Box, ...]
    """The boxes of all objects."""


def box_record(truth: ImageBoxes, box: Box | None) -> BoxRecord:
    """The record of an image, given its best predicted box."""
    objects = tuple(o.box for o in truth.objects)
    largest = max(objects, key=box_area, default=None)
    iou = 0.0 if box is None else max((box_iou(box, o) for o in objects), default=0.0)
    return BoxRecord(
        truth.image,
        hit=iou >= MIN_IOU,
        iou=iou,
        share=min(1.0, box_area(largest) / (truth.width * truth.height)) if largest is not None else 0.0,
        touches_border=largest is not None and _touches(largest, truth.width, truth.height),
        box=box,
        objects=objects,
    )


def _touches(box: Box, width: int, height: int) -> bool:
    return box[0] <= 0 or box[1] <= 0 or box[2] >= width or box[3] >= height
