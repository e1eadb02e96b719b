"""How fast this machine is at each step, beside the least that the step can take."""

from diffusionseg.bench.floor import matrix_rate, operations
from diffusionseg.bench.run import BenchConfig, BenchReport, Step, run_bench
from diffusionseg.bench.turns import Timing, take_turns

__all__ = [
    "BenchConfig",
    "BenchReport",
    "Step",
    "Timing",
    "matrix_rate",
    "operations",
    "run_bench",
    "take_turns",
]
