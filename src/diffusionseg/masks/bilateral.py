"""Fast bilateral solver: the smoothest map that respects the image's edges and stays near a target.

Source: Barron and Poole, "The Fast Bilateral Solver", ECCV 2016 (arXiv 1511.03296); equation numbers are theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse.linalg import cg

from diffusionseg.masks.contracts import rgb_image, unit_map

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BilateralConfig:
    """Constants of the solver; the defaults are those that TokenCut's published code uses."""

    sigma_spatial: float = 16.0
    """Side of a grid cell in pixels, > 0."""
    sigma_luma: float = 16.0
    """Extent of a grid cell in luma, 8-bit levels, > 0."""
    sigma_chroma: float = 8.0
    """Extent of a grid cell in either chroma, 8-bit levels, > 0."""
    smoothness: float = 256.0
    """Weight lambda of smoothness against fidelity to the target, >= 0."""
    diagonal_min: float = 1e-5
    """Floor of the preconditioner's diagonal, > 0."""
    rtol: float = 1e-5
    """Relative residual at which conjugate gradients stop, > 0."""
    max_iterations: int = 25
    """Most iterations of conjugate gradients, >= 1; reaching them is no error, the result is then nearly solved."""
    balancing_iterations: int = 10
    """Iterations that make the blur bistochastic, >= 1."""
    confidence: float = 0.999
    """Trust in the target where the caller gives none, in (0, 1]."""

    def __post_init__(self) -> None:
        for name in ("sigma_spatial", "sigma_luma", "sigma_chroma", "diagonal_min", "rtol"):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")
        if not 0 <= self.smoothness < np.inf:
            raise ValueError(f"smoothness must be at least 0 and finite, got {self.smoothness}")
        for name in ("max_iterations", "balancing_iterations"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.confidence <= 1:
            raise ValueError(f"confidence must be in (0, 1], got {self.confidence}")


@dataclass(frozen=True)
class BilateralGrid:
    """The cells of (y, x, luma, chroma, chroma) space that an image occupies."""

    splat: sparse.csr_array
    """(cells, pixels): sums pixels into their cell (S of eq. 5); its transpose reads a cell out at its pixels."""
    blur: sparse.csr_array
    """(cells, cells): [1 2 1] along each of the five axes, summed over the axes; symmetric."""


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
    config = config or BilateralConfig()
    pixels = rgb_image("image", image)
    shape = pixels.shape[:2]
    wanted = unit_map("target", target, shape).ravel()
    trust_in = np.asarray(config.confidence if confidence is None else confidence)
    trust = unit_map("confidence", np.broadcast_to(trust_in, shape) if trust_in.ndim == 0 else trust_in, shape).ravel()
    if not trust.any():
        raise ValueError("confidence must not be zero everywhere")

    grid = bilateral_grid(pixels, config)
    balance, mass = bistochastize(grid, config.balancing_iterations)
    scale = sparse.diags_array(balance)
    trusted = grid.splat @ trust
    # Eq. 7: A = lambda (D_m - D_n B D_n) + diag(S c), b = S (c t).
    matrix = (config.smoothness * (sparse.diags_array(mass) - scale @ grid.blur @ scale)).tocsr()
    matrix = (matrix + sparse.diags_array(trusted)).tocsr()
    right = grid.splat @ (trust * wanted)
    start = right / np.maximum(trusted, np.finfo(np.float64).tiny)
    precondition = sparse.diags_array(1.0 / np.maximum(matrix.diagonal(), config.diagonal_min))
    solution, _ = cg(matrix, right, x0=start, rtol=config.rtol, maxiter=config.max_iterations, M=precondition)
    result: Floats = np.clip(grid.splat.T @ solution, 0.0, 1.0).reshape(shape)
    return result


def bilateral_grid(image: NDArray[np.uint8], config: BilateralConfig) -> BilateralGrid:
    """Quantise every pixel of an (H, W, 3) uint8 image to its cell and link neighbouring occupied cells."""
    cells = pixel_cells(image, config)
    # One spare value per axis: stepping off either end of an axis then lands on a key that no cell has.
    extent = cells.max(axis=1) + 2
    stride = np.append(np.cumprod(extent[:0:-1])[::-1], 1)
    keys, cell_of_pixel = np.unique(stride @ cells, return_inverse=True)
    count, pixels = len(keys), cells.shape[1]
    splat = sparse.csr_array((np.ones(pixels), (cell_of_pixel.ravel(), np.arange(pixels))), shape=(count, pixels))
    blur = sparse.csr_array(sparse.diags_array(np.full(count, 2.0 * len(stride))))
    for step in stride:
        place = np.searchsorted(keys, keys + step)
        found = np.flatnonzero(keys[np.minimum(place, count - 1)] == keys + step)
        link = sparse.csr_array((np.ones(len(found)), (found, place[found])), shape=(count, count))
        blur = blur + link + link.T
    return BilateralGrid(splat=splat, blur=sparse.csr_array(blur))


def pixel_cells(image: NDArray[np.uint8], config: BilateralConfig) -> NDArray[np.int64]:
    """Return (5, H*W): the cell of every pixel along y, x, luma, blue chroma, red chroma (ITU-R BT.601, full range)."""
    red, green, blue = np.moveaxis(image.astype(np.float64), -1, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    blueness = (blue - luma) / 1.772 + 128.0
    redness = (red - luma) / 1.402 + 128.0
    rows, columns = np.indices(image.shape[:2])
    axes = (
        rows / config.sigma_spatial,
        columns / config.sigma_spatial,
        luma / config.sigma_luma,
        blueness / config.sigma_chroma,
        redness / config.sigma_chroma,
    )
    return np.stack([axis.ravel().astype(np.int64) for axis in axes])


def bistochastize(grid: BilateralGrid, iterations: int) -> tuple[Floats, Floats]:
    """Return (n, m) such that D_n B D_n has row sums m, and m is nearly the pixels in each cell (Algorithm 1)."""
    occupancy = grid.splat.sum(axis=1)
    balance: Floats = np.ones(len(occupancy))
    for _ in range(iterations):
        balance = np.sqrt(balance * occupancy / (grid.blur @ balance))
    return balance, balance * (grid.blur @ balance)
