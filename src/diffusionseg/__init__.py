"""Find the main object in any photograph without any human label, by the method of DiffusionSeg (arXiv 2303.09813).

Importing this package is cheap: torch is imported with the first of the names below that is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from diffusionseg.attentioncut import AttentionCutConfig, attention_cut
    from diffusionseg.backbone import Backbone
    from diffusionseg.data import StoredPairs, read_image
    from diffusionseg.exploitation import DiffusionSeg, FeatureConfig, TrainConfig, train
    from diffusionseg.prediction import PredictConfig, Prediction
    from diffusionseg.segmenters import load_segmenter
    from diffusionseg.student import Student
    from diffusionseg.synthesis import SynthesisConfig, SyntheticPair, synthesize

_ROOMS = {
    "AttentionCutConfig": "attentioncut",
    "Backbone": "backbone",
    "DiffusionSeg": "exploitation",
    "FeatureConfig": "exploitation",
    "PredictConfig": "prediction",
    "Prediction": "prediction",
    "StoredPairs": "data",
    "Student": "student",
    "SynthesisConfig": "synthesis",
    "SyntheticPair": "synthesis",
    "TrainConfig": "exploitation",
    "attention_cut": "attentioncut",
    "load_segmenter": "segmenters",
    "read_image": "data",
    "synthesize": "synthesis",
    "train": "exploitation",
}

__all__ = [
    "AttentionCutConfig",
    "Backbone",
    "DiffusionSeg",
    "FeatureConfig",
    "PredictConfig",
    "Prediction",
    "StoredPairs",
    "Student",
    "SynthesisConfig",
    "SyntheticPair",
    "TrainConfig",
    "__version__",
    "attention_cut",
    "load_segmenter",
    "read_image",
    "synthesize",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'diffusionseg' has no attribute {name!r}")
    return getattr(import_module(f"diffusionseg.{_ROOMS[name]}"), name)
