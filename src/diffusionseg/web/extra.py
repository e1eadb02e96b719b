"""The libraries that only serving needs."""

from __future__ import annotations

from importlib import import_module

MODULES = ("fastapi", "uvicorn", "python_multipart", "gradio")
"""What the extra `web` installs."""


def check_extra() -> None:
    """Raise ValueError saying what to install where a library is missing."""
    quiet()
    for name in MODULES:
        try:
            import_module(name)
        except ImportError as error:
            raise ValueError(f"serve needs {name} ({error}): pip install 'diffusionseg[web]'") from error


def quiet() -> None:
    """Keep Gradio from looking for news and counting its users, from its import on."""
    import os

    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_RUN_HISTORY"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    # Or it makes a table of the last 10,000 events after each of them, by a way that pandas 3 warns of.
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**12)
