"""Keeping the libraries' own progress bars out of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Silence the bars that diffusers and transformers draw while they read or write weights, then restore
    them."""
    noisy = [log for log in (diffusers_logging, transformers_logging) if log.is_progress_bar_enabled()]
    for log in noisy:
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log in noisy:
            log.enable_progress_bar()
