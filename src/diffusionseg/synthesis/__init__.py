"""Class names to images with masks that cost no label: prompts, sampling with taps, quality gate, shards."""

from diffusionseg.synthesis.config import SynthesisConfig
from diffusionseg.synthesis.drawing import (
    Drawing,
    attention_from,
    chosen_maps,
    cut_drawing,
    draw,
    usual_readings,
)
from diffusionseg.synthesis.gate import GateConfig, Quality, reject_reason
from diffusionseg.synthesis.pair import SyntheticPair
from diffusionseg.synthesis.places import Place, fill_places, synthesize
from diffusionseg.synthesis.preview import attention_picture, contact_sheet, mask_overlay
from diffusionseg.synthesis.prompts import class_names, parse_class_names
from diffusionseg.synthesis.run import SetSummary, finished_places, synthesize_set
from diffusionseg.synthesis.sampling import check_request
from diffusionseg.synthesis.shard_work import Filled

__all__ = [
    "Drawing",
    "Filled",
    "GateConfig",
    "Place",
    "Quality",
    "SetSummary",
    "SynthesisConfig",
    "SyntheticPair",
    "attention_from",
    "attention_picture",
    "check_request",
    "chosen_maps",
    "class_names",
    "contact_sheet",
    "cut_drawing",
    "draw",
    "fill_places",
    "finished_places",
    "mask_overlay",
    "parse_class_names",
    "reject_reason",
    "synthesize",
    "synthesize_set",
    "usual_readings",
]
