"""What the tabs and the page's own addresses share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from diffusionseg.synthesis import SynthesisConfig
from diffusionseg.web.body import Refused
from diffusionseg.web.config import ServeConfig
from diffusionseg.web.desk import Desk, Full
from diffusionseg.web.models import LoadedModel
from diffusionseg.web.page.held_photo import HeldPhoto
from diffusionseg.web.page.held_set import HeldSet
from diffusionseg.web.page.shelf import Shelf

Result = TypeVar("Result")
MB = 2**20


@dataclass(frozen=True, eq=False)
class Report:
    """An evaluation's report."""

    files: dict[str, bytes]
    """Content of its files, by name."""

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return sum(map(len, self.files.values()))


@dataclass(frozen=True, eq=False)
class Held:
    """Models, limits, threads, and what visitors have on the page."""

    models: dict[str, LoadedModel]
    """By name; the first is the default."""
    config: ServeConfig
    """Limits."""
    synthesis: SynthesisConfig
    """Defaults of a set."""
    desk: Desk
    """Where photographs are predicted, the API's included."""
    drawing: Desk = field(default_factory=lambda: Desk("draw", 8))
    """Where images are drawn."""
    evaluating: Desk = field(default_factory=lambda: Desk("evaluate", 4))
    """Where folders are evaluated."""
    photos: Shelf[HeldPhoto] = field(
        default_factory=lambda: Shelf("photograph", 64, 512 * MB, lambda photo: photo.bytes)
    )
    """Photographs by key."""
    sets: Shelf[HeldSet] = field(default_factory=lambda: Shelf("set", 16, 1024 * MB, lambda one: one.size))
    """Synthesised images by key."""
    reports: Shelf[Report] = field(default_factory=lambda: Shelf("report", 16, 256 * MB, lambda one: one.bytes))
    """Reports by key."""

    def at_desk(self, function: Callable[[], Result]) -> Result:
        """Run what needs a model; raises Full or TimeoutError."""
        return self.desk.call(function, self.config.timeout)

    def close(self) -> None:
        """Begin nothing more."""
        self.drawing.close()
        self.evaluating.close()


def folders_below(roots: tuple[Path, ...], depth: int = 3) -> dict[str, Path]:
    """Folders that Evaluate may read, by the label that visitors see; what leads out of a root is left out.

    A visitor's choice is looked up here: it never becomes a path.
    """
    found: dict[str, Path] = {}
    for root in roots:
        home = root.resolve()
        for folder in _walk(home, depth):
            label = Path(root.name or home.name, folder.relative_to(home)).as_posix()
            while label in found and found[label] != folder:
                label += "'"
            found[label] = folder
    return found


def _walk(folder: Path, depth: int) -> list[Path]:
    below = []
    if depth:
        try:
            children = sorted(p for p in folder.iterdir() if not p.name.startswith(".") and not p.is_symlink())
            below = [found for child in children if child.is_dir() for found in _walk(child, depth - 1)]
        except OSError:
            below = []
    return [folder, *below]


def explained(error: Exception) -> str:
    """What a visitor is told of an error. Raises it again where it is not of a kind that a visitor can cause."""
    match error:
        case Refused():
            return error.reason
        case Full():
            return "Too many others are waiting. Try again in a moment."
        case TimeoutError():
            return "This took too long. Try again later, or with something smaller."
        case MemoryError():
            return "This does not fit into the server's memory. Make it smaller."
        case ValueError() | OSError():
            return str(error)
    raise error


def asset(name: str) -> str:
    """Text of a file beside this module."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
