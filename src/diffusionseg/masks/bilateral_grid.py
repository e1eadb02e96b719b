"""The bilateral grid: the cells of (y, x, luma, chroma, chroma) space that an image occupies, and who neighbours whom.

Source: Barron and Poole, "The Fast Bilateral Solver", ECCV 2016 (arXiv 1511.03296).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from diffusionseg.masks.bilateral_config import BilateralConfig

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BilateralGrid:
    """The cells of (y, x, luma, chroma, chroma) space that an image occupies."""

    splat: sparse.csr_array
    """(cells, pixels): sums pixels into their cell (S of eq. 5); its transpose reads a cell out at its pixels."""
    blur: sparse.csr_array
    """(cells, cells): [1 2 1] along each of the five axes, summed over the axes; symmetric."""


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
