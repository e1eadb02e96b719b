"""How good predictions are, under the field's own definitions. Knows no model."""

from diffusionseg.evaluation.corloc import CorLocAccumulator, box_iou
from diffusionseg.evaluation.folders import MissingPredictions, evaluate_boxes, evaluate_saliency
from diffusionseg.evaluation.protocols import PROTOCOLS, SaliencyProtocol
from diffusionseg.evaluation.saliency import SaliencyAccumulator, mask_iou

__all__ = [
    "PROTOCOLS",
    "CorLocAccumulator",
    "MissingPredictions",
    "SaliencyAccumulator",
    "SaliencyProtocol",
    "box_iou",
    "evaluate_boxes",
    "evaluate_saliency",
    "mask_iou",
]
