"""How good predictions are, under the field's own definitions. Knows no model."""

from diffusionseg.evaluation.corloc import CorLocAccumulator, box_iou
from diffusionseg.evaluation.folders import evaluate_boxes, evaluate_saliency, find_masks
from diffusionseg.evaluation.saliency import SaliencyAccumulator, mask_iou

__all__ = [
    "CorLocAccumulator",
    "SaliencyAccumulator",
    "box_iou",
    "evaluate_boxes",
    "evaluate_saliency",
    "find_masks",
    "mask_iou",
]
