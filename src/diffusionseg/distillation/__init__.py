"""A small network that takes the place of generator and decoder: trained on pairs, written as ONNX."""

from diffusionseg.distillation.config import DistillConfig, averaging_views
from diffusionseg.distillation.network import NetworkConfig, StudentNetwork
from diffusionseg.distillation.run import distill, refuse_two_beginnings

__all__ = [
    "DistillConfig",
    "NetworkConfig",
    "StudentNetwork",
    "averaging_views",
    "distill",
    "refuse_two_beginnings",
]
