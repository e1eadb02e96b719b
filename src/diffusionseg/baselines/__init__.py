"""Other ways to find the main object, on the same backbone and photographs. Knows neither files nor the command line.

Each method is a function on arrays, in a file of its own that says where it comes from and what is ours; `METHODS`
lists them, `Reading` gives them what they read.
"""

from diffusionseg.baselines.centre import centre
from diffusionseg.baselines.daam import daam
from diffusionseg.baselines.grabcut import grabcut
from diffusionseg.baselines.merging import merging, segment_by_merging
from diffusionseg.baselines.methods import METHODS, Method, choose_methods
from diffusionseg.baselines.ncut_affinity import ncut_affinity
from diffusionseg.baselines.ncut_features import ncut_features
from diffusionseg.baselines.propagation import propagation
from diffusionseg.baselines.reading import Reading, ReadingConfig
from diffusionseg.baselines.refinement import REFINEMENTS, Refiner, choose_refinements

__all__ = [
    "METHODS",
    "REFINEMENTS",
    "Method",
    "Reading",
    "ReadingConfig",
    "Refiner",
    "centre",
    "choose_methods",
    "choose_refinements",
    "daam",
    "grabcut",
    "merging",
    "ncut_affinity",
    "ncut_features",
    "propagation",
    "segment_by_merging",
]
