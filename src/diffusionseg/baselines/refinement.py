"""Ways to bring a method's saliency to its photograph's size, the same for every method."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from diffusionseg.attentioncut import ColourCutConfig, refine_by_colour
from diffusionseg.masks import TOKENCUT, BilateralSystem, bilateral_system, fill_holes, largest_component, refine
from diffusionseg.masks.refine import working_copy

REFINEMENTS = ("none", "guided", "bilateral", "bilateral-part", "cut")
"""none: enlarged bilinearly; guided: guided filter; bilateral: bilateral solver with TokenCut's constants, soft, as its
evaluation takes it; bilateral-part: of that above one half the largest connected part, holes filled, as its pictures
show; cut: along colours and edges."""


def choose_refinements(names: str) -> list[str]:
    """The refinements of a comma-separated list. Raises ValueError naming those that do not exist."""
    wanted = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    unknown = [name for name in wanted if name not in REFINEMENTS]
    if unknown or not wanted:
        raise ValueError(f"--refine {', '.join(unknown) or names}: choose from {', '.join(REFINEMENTS)}")
    return wanted


class Refiner:
    """Refinements of any number of saliencies of one photograph (H, W, 3) uint8; its bilateral grid is built once.

    `cut` are the constants of the cut; `shared_seconds` is what the grid took by `clock`.
    """

    def __init__(
        self,
        image: NDArray[np.uint8],
        cut: ColourCutConfig | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.image, self.cut, self.clock = image, cut, clock
        self.shared_seconds = 0.0

    @cached_property
    def system(self) -> BilateralSystem:
        """The bilateral solver's grid of this photograph."""
        started = self.clock()
        system = bilateral_system(working_copy(self.image), TOKENCUT)
        self.shared_seconds = self.clock() - started
        return system

    def refine(self, saliency: NDArray[np.floating], refinement: str) -> NDArray[np.float32]:
        """A saliency (h, w) in 0…1 of any size at the photograph's size: (H, W) in 0…1."""
        if refinement == "cut":
            return refine_by_colour(self.image, saliency, self.cut)
        if refinement == "guided":
            return refine(saliency, self.image, "guided")
        if refinement == "none":
            return refine(saliency, self.image, "none")
        solved = refine(saliency, self.image, "bilateral", bilateral=self.system)
        return solved if refinement == "bilateral" else main_part(solved).astype(np.float32)


def main_part(saliency: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Of saliency (H, W) above one half, holes filled, the largest connected part; empty where nothing is.

    Source: TokenCut, unsupervised_saliency_detection/bilateral_solver.py. Other than there, parts connect over corners
    too, and the largest part of the object is meant even where it is larger than the background.
    """
    return largest_component(fill_holes(saliency > 0.5))
