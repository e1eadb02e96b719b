"""An encoder that learns class names: what a student begins with, and what a generator's features are aligned with."""

from diffusionseg.recognition.config import EncoderConfig
from diffusionseg.recognition.crops import crops
from diffusionseg.recognition.encoder import Encoder, EncoderShape, convolution
from diffusionseg.recognition.learning import FOLDER, describe_photos, of_frequent_classes, train_encoder
from diffusionseg.recognition.loading import find_encoder, keep_encoder, load_encoder

__all__ = [
    "FOLDER",
    "Encoder",
    "EncoderConfig",
    "EncoderShape",
    "convolution",
    "crops",
    "describe_photos",
    "find_encoder",
    "keep_encoder",
    "load_encoder",
    "of_frequent_classes",
    "train_encoder",
]
