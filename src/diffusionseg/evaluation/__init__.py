"""How good predictions are, under the field's own definitions. Knows no model."""

from diffusionseg.evaluation.box_folders import evaluate_boxes
from diffusionseg.evaluation.box_records import BoxRecord
from diffusionseg.evaluation.coco import evaluate_coco
from diffusionseg.evaluation.corloc import CorLocAccumulator, box_iou
from diffusionseg.evaluation.folders import evaluate_saliency
from diffusionseg.evaluation.intervals import Bootstrap, PairedDifference, paired_difference
from diffusionseg.evaluation.measures import FAMILIES, MeasureAccumulator
from diffusionseg.evaluation.missing import MissingPredictions
from diffusionseg.evaluation.protocols import GROUPS, PROTOCOLS, SaliencyProtocol
from diffusionseg.evaluation.records import ImageRecord
from diffusionseg.evaluation.saliency import ImageScores, SaliencyAccumulator, image_scores, mask_iou

__all__ = [
    "FAMILIES",
    "GROUPS",
    "PROTOCOLS",
    "Bootstrap",
    "BoxRecord",
    "CorLocAccumulator",
    "ImageRecord",
    "ImageScores",
    "MeasureAccumulator",
    "MissingPredictions",
    "PairedDifference",
    "SaliencyAccumulator",
    "SaliencyProtocol",
    "box_iou",
    "evaluate_boxes",
    "evaluate_coco",
    "evaluate_saliency",
    "image_scores",
    "mask_iou",
    "paired_difference",
]
