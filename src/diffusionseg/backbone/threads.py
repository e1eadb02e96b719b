"""Several U-Net calls side by side on a CPU, each on one core."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def side_by_side(workers: int, *, one_core_each: bool) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads; with `one_core_each` torch works on a single core in each of them.

    Sums then do not depend on the number of cores, and small models, whose calls are too short to be shared out, get
    faster. Torch's number of threads is put back at the end.
    """
    threads = torch.get_num_threads()

    def start() -> None:
        if one_core_each:
            torch.set_num_threads(1)

    try:
        with ThreadPoolExecutor(workers, initializer=start) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)
