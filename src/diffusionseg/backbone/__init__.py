"""The frozen text-to-image generator behind one small interface, and the taps that read it."""

from diffusionseg.backbone.attention_layers import AttentionLayer, attention_layers
from diffusionseg.backbone.attention_maps import AttentionMaps
from diffusionseg.backbone.attention_tap import AttentionTap
from diffusionseg.backbone.conditioning import Conditioning
from diffusionseg.backbone.device import computes_bfloat16, resolve_device, resolve_dtype
from diffusionseg.backbone.errors import BackboneLoadError, DeviceUnavailableError
from diffusionseg.backbone.feature_tap import FeatureTap
from diffusionseg.backbone.inversion import SOLVERS, Solver, invert, sample
from diffusionseg.backbone.model import Backbone

__all__ = [
    "SOLVERS",
    "AttentionLayer",
    "AttentionMaps",
    "AttentionTap",
    "Backbone",
    "BackboneLoadError",
    "Conditioning",
    "DeviceUnavailableError",
    "FeatureTap",
    "Solver",
    "attention_layers",
    "computes_bfloat16",
    "invert",
    "resolve_device",
    "resolve_dtype",
    "sample",
]
