"""Train a small generator in the Stable Diffusion layout from captioned photographs, without any mask or box."""

from diffusionseg.pretraining.config import PretrainConfig
from diffusionseg.pretraining.generator import GeneratorConfig
from diffusionseg.pretraining.judge_config import JudgeConfig
from diffusionseg.pretraining.judged_photos import JudgedPhotos, read_judged_photos
from diffusionseg.pretraining.photos import Photos, class_names, read_class_file, read_photos, read_photos_of_sizes
from diffusionseg.pretraining.run import pretrain

__all__ = [
    "GeneratorConfig",
    "JudgeConfig",
    "JudgedPhotos",
    "Photos",
    "PretrainConfig",
    "class_names",
    "pretrain",
    "read_class_file",
    "read_judged_photos",
    "read_photos",
    "read_photos_of_sizes",
]
