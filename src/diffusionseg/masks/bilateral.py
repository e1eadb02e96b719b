"""Fast bilateral solver: the smoothest map that respects the image's edges and stays near a target.

Source: Barron and Poole, "The Fast Bilateral Solver", ECCV 2016 (arXiv 1511.03296); equation numbers are theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse.linalg import cg

from diffusionseg.masks.bilateral_config import TOKENCUT, BilateralConfig
from diffusionseg.masks.bilateral_grid import bilateral_grid, bistochastize
from diffusionseg.masks.contracts import rgb_image, unit_map

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BilateralSystem:
    """What of the solver depends on the image alone, made once for all maps of one image."""

    shape: tuple[int, int]
    """(H, W) of the image."""
    splat: sparse.csr_array
    """(cells, pixels): sums pixels into their cell (S of eq. 5)."""
    smooth: sparse.csr_array
    """(cells, cells): lambda (D_m - D_n B D_n), the smoothness term of eq. 7."""
    config: BilateralConfig
    """The constants it was made with."""


def bilateral_solver(
    image: ArrayLike,
    target: ArrayLike,
    confidence: float | ArrayLike | None = None,
    config: BilateralConfig | None = None,
) -> Floats:
    """Return the map (H, W) float64 in [0, 1] that is smooth within the image's edges and near the target.

    image: (H, W, 3) uint8, sRGB. target: (H, W) in [0, 1]. confidence: trust in the target, a number or (H, W), in
    [0, 1] and not zero everywhere; None takes the configuration's.
    """
    return solve_bilateral(bilateral_system(image, config), target, confidence)


def bilateral_system(image: ArrayLike, config: BilateralConfig | None = None) -> BilateralSystem:
    """The grid of an image (H, W, 3) uint8 and its smoothness term, more than half of the solver's time."""
    config = config or TOKENCUT
    pixels = rgb_image("image", image)
    grid = bilateral_grid(pixels, config)
    balance, mass = bistochastize(grid, config.balancing_iterations)
    scale = sparse.diags_array(balance)
    smooth = (config.smoothness * (sparse.diags_array(mass) - scale @ grid.blur @ scale)).tocsr()
    return BilateralSystem((pixels.shape[0], pixels.shape[1]), grid.splat, smooth, config)


def solve_bilateral(system: BilateralSystem, target: ArrayLike, confidence: float | ArrayLike | None = None) -> Floats:
    """`bilateral_solver` of another target (H, W) in [0, 1] on the same image."""
    shape, config = system.shape, system.config
    wanted = unit_map("target", target, shape).ravel()
    trust_in = np.asarray(config.confidence if confidence is None else confidence)
    trust = unit_map("confidence", np.broadcast_to(trust_in, shape) if trust_in.ndim == 0 else trust_in, shape).ravel()
    if not trust.any():
        raise ValueError("confidence must not be zero everywhere")
    trusted = system.splat @ trust
    # Eq. 7: A = lambda (D_m - D_n B D_n) + diag(S c), b = S (c t).
    matrix = (system.smooth + sparse.diags_array(trusted)).tocsr()
    right = system.splat @ (trust * wanted)
    start = right / np.maximum(trusted, np.finfo(np.float64).tiny)
    precondition = sparse.diags_array(1.0 / np.maximum(matrix.diagonal(), config.diagonal_min))
    solution, _ = cg(matrix, right, x0=start, rtol=config.rtol, maxiter=config.max_iterations, M=precondition)
    result: Floats = np.clip(system.splat.T @ solution, 0.0, 1.0).reshape(shape)
    return result
