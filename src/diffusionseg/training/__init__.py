"""What every training loop here shares: averaged weights, resumable checkpoints without pickle, metrics and curves."""

from diffusionseg.training.averaging import WeightAverage
from diffusionseg.training.checkpoint import has_checkpoint, load_checkpoint, save_checkpoint
from diffusionseg.training.journal import Journal
from diffusionseg.training.order import batch_indices, step_generator

__all__ = [
    "Journal",
    "WeightAverage",
    "batch_indices",
    "has_checkpoint",
    "load_checkpoint",
    "save_checkpoint",
    "step_generator",
]
