"""Run a function on a list of units of work: in this process, in several, or on Ray. Knows nothing of the work.

Importing it is cheap, so that a new worker process can set its threads before anything loads torch.
"""

from diffusionseg.engine.contract import Busy, Failure, MakeWorker, Share, Worker, WorkerLost
from diffusionseg.engine.interrupt import Terminated, sigterm_interrupts
from diffusionseg.engine.run import check_engine, run_units
from diffusionseg.engine.spec import LOCAL, Engine, parse_engine

__all__ = [
    "LOCAL",
    "Busy",
    "Engine",
    "Failure",
    "MakeWorker",
    "Share",
    "Terminated",
    "Worker",
    "WorkerLost",
    "check_engine",
    "parse_engine",
    "run_units",
    "sigterm_interrupts",
]
