"""From a segmenter's coarse saliency to masks, boxes, pictures and records, for one photograph or a million. Knows no
model, and does not import torch."""

from diffusionseg.prediction.folder import FolderSummary, predict_folder
from diffusionseg.prediction.photo_run import UNIT, Dealt
from diffusionseg.prediction.pictures import PICTURES, CutoutConfig, prediction_picture, prediction_record
from diffusionseg.prediction.predict import PredictConfig, Prediction, decide, make_prediction, refined
from diffusionseg.prediction.segmenter import ImageLike, Segmenter
from diffusionseg.prediction.watch import watch_folder

__all__ = [
    "PICTURES",
    "UNIT",
    "CutoutConfig",
    "Dealt",
    "FolderSummary",
    "ImageLike",
    "PredictConfig",
    "Prediction",
    "Segmenter",
    "decide",
    "make_prediction",
    "predict_folder",
    "prediction_picture",
    "prediction_record",
    "refined",
    "watch_folder",
]
