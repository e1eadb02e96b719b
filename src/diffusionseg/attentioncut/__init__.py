"""AttentionCut: attention maps to masks by an exact minimum cut. Pure functions on arrays, without torch."""

from diffusionseg.attentioncut.aggregate import aggregate_cross, aggregate_self
from diffusionseg.attentioncut.cut import AttentionCutConfig, AttentionCutResult, attention_cut
from diffusionseg.attentioncut.mincut import Cut, energy, min_cut
from diffusionseg.attentioncut.pairwise import pairwise_weights
from diffusionseg.attentioncut.pixels import pseudo_mask, soft_mask
from diffusionseg.attentioncut.unary import object_probability, otsu_threshold, unary_energy

__all__ = [
    "AttentionCutConfig",
    "AttentionCutResult",
    "Cut",
    "aggregate_cross",
    "aggregate_self",
    "attention_cut",
    "energy",
    "min_cut",
    "object_probability",
    "otsu_threshold",
    "pairwise_weights",
    "pseudo_mask",
    "soft_mask",
    "unary_energy",
]
