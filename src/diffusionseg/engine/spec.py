"""Which engine was asked for."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = ("local", "processes", "ray")


@dataclass(frozen=True)
class Engine:
    """A way to run units. It never changes what comes out."""

    kind: str = "local"
    """`local` this process, `processes` several on this machine, `ray` actors of a Ray cluster."""
    workers: int | None = None
    """Workers side by side, at least 1; None lets Ray take as many as its cluster has room for now."""
    address: str | None = None
    """Ray cluster to join, as `ray.init` takes it; None starts one on this machine for the length of the run."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"--engine must be local, processes:N or ray[:ADDRESS], got {self.kind!r}")
        if self.kind == "processes" and self.workers is None:
            raise ValueError("--engine processes needs a number of workers: processes:N")
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"--engine needs at least 1 worker, got {self.workers}")


LOCAL = Engine()
"""This process."""


def parse_engine(text: str, workers: int | None = None) -> Engine:
    """`local`, `processes:N` or `ray[:ADDRESS]`; `workers` is the number of workers on Ray. Raises ValueError."""
    kind, _, rest = text.partition(":")
    if workers is not None and kind in ("local", "processes"):
        instead = "processes:N says how many they are" if kind == "processes" else "processes:N makes more of one"
        raise ValueError(f"--workers is for --engine ray, got {text!r}; {instead}")
    if kind == "processes" and rest:
        if not rest.isascii() or not rest.isdigit():
            raise ValueError(f"--engine processes:N takes a number, got {text!r}")
        return Engine(kind, int(rest))
    if kind == "ray":
        return Engine(kind, workers, rest or None)
    return Engine(text)
