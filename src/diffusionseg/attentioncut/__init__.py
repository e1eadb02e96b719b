"""AttentionCut: attention maps to masks by an exact minimum cut. Pure functions on arrays, without torch."""

from diffusionseg.attentioncut.aggregate import aggregate_cross, aggregate_self
from diffusionseg.attentioncut.colour_config import ColourCutConfig
from diffusionseg.attentioncut.colour_cut import colour_cut
from diffusionseg.attentioncut.cut import (
    AttentionCutConfig,
    AttentionCutResult,
    GridCut,
    PixelMethod,
    attention_cut,
    cut_on_grid,
    rim_share,
)
from diffusionseg.attentioncut.dense_cut import dense_energy, dense_min_cut
from diffusionseg.attentioncut.edge_band import edge_cut
from diffusionseg.attentioncut.mincut import Cut, energy, min_cut
from diffusionseg.attentioncut.pairwise import pairwise_weights
from diffusionseg.attentioncut.photo_cut import cut_stability, refine_by_colour, small_cut
from diffusionseg.attentioncut.pixels import pseudo_mask
from diffusionseg.attentioncut.unary import object_probability, otsu_threshold, unary_energy

__all__ = [
    "AttentionCutConfig",
    "AttentionCutResult",
    "ColourCutConfig",
    "Cut",
    "GridCut",
    "PixelMethod",
    "aggregate_cross",
    "aggregate_self",
    "attention_cut",
    "colour_cut",
    "cut_on_grid",
    "cut_stability",
    "dense_energy",
    "dense_min_cut",
    "edge_cut",
    "energy",
    "min_cut",
    "object_probability",
    "otsu_threshold",
    "pairwise_weights",
    "pseudo_mask",
    "refine_by_colour",
    "rim_share",
    "small_cut",
    "unary_energy",
]
