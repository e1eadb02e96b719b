"""Train a small generator in the Stable Diffusion layout from captioned photographs, without any mask or box."""

from diffusionseg.pretraining.generator import GeneratorConfig
from diffusionseg.pretraining.photos import Photos, class_names, read_class_file, read_photos
from diffusionseg.pretraining.run import PretrainConfig, pretrain

__all__ = [
    "GeneratorConfig",
    "Photos",
    "PretrainConfig",
    "class_names",
    "pretrain",
    "read_class_file",
    "read_photos",
]
