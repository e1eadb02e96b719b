"""What every training loop here shares: averaged weights, checkpoints without pickle, rates, metrics, curves."""

from diffusionseg.training.averaging import WeightAverage, other_weights
from diffusionseg.training.checkpoint import (
    CHECKPOINT,
    has_checkpoint,
    load_averaged,
    load_checkpoint,
    put_weights,
    read_averaged,
    save_checkpoint,
    weights_digest,
)
from diffusionseg.training.journal import Journal, Report
from diffusionseg.training.mixed_precision import MixedPrecision
from diffusionseg.training.order import batch_indices, step_generator
from diffusionseg.training.schedule import warm_cosine
from diffusionseg.training.team import Team, is_leader, own_device, team_size

__all__ = [
    "CHECKPOINT",
    "Journal",
    "MixedPrecision",
    "Report",
    "Team",
    "WeightAverage",
    "batch_indices",
    "has_checkpoint",
    "is_leader",
    "load_averaged",
    "load_checkpoint",
    "other_weights",
    "own_device",
    "put_weights",
    "read_averaged",
    "save_checkpoint",
    "step_generator",
    "team_size",
    "warm_cosine",
    "weights_digest",
]
