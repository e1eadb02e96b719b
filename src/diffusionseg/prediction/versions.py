"""Whether a worker has the libraries of the run that it works for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version

from diffusionseg.prediction.settings import differing


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """Version of each library as installed here."""
    return {name: version(name) for name in libraries}


def check_versions(wanted: Mapping[str, str]) -> None:
    """Raise ValueError naming the libraries whose versions here are not those wanted, since results would differ."""
    others = differing(wanted, versions(wanted))
    if others:
        raise ValueError(f"this worker has other versions of {', '.join(others)}; install the same everywhere")
