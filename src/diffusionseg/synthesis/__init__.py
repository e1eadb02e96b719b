"""Class names to images with masks that cost no label: prompts, sampling with taps, quality gate, shards."""

from diffusionseg.synthesis.config import SynthesisConfig
from diffusionseg.synthesis.gate import GateConfig, Quality
from diffusionseg.synthesis.pair import SyntheticPair
from diffusionseg.synthesis.places import Place, fill_places, synthesize
from diffusionseg.synthesis.preview import attention_picture, contact_sheet, mask_overlay
from diffusionseg.synthesis.run import SetSummary, finished_places, synthesize_set
from diffusionseg.synthesis.shard_work import Filled

__all__ = [
    "Filled",
    "GateConfig",
    "Place",
    "Quality",
    "SetSummary",
    "SynthesisConfig",
    "SyntheticPair",
    "attention_picture",
    "contact_sheet",
    "fill_places",
    "finished_places",
    "mask_overlay",
    "synthesize",
    "synthesize_set",
]
