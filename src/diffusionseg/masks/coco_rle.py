"""Run-length codes of COCO (Lin et al., ECCV 2014), as pycocotools reads and writes them.

Runs go down the columns and begin with background; of a mask whose first pixel is object the first run is 0. The
compressed form writes differences to the run before the last as signed numbers of five bits a character.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diffusionseg.masks.contracts import bool_mask

FIRST = 48
"""Character of the value 0."""
MORE, SIGN, BITS = 32, 16, 5
"""Bit that says that another character follows, bit of the sign in the last one, bits of value in a character."""
MOST = 7
"""Characters that a number of 32 bits and a sign can take."""


def rle_counts(mask: NDArray[np.bool_]) -> list[int]:
    """Lengths of the runs of a mask (H, W) bool, background and object in turn."""
    flat = bool_mask("mask", mask).ravel(order="F")
    starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts: list[int] = np.diff(starts, prepend=0, append=flat.size).tolist()
    return [0, *counts] if flat[0] else counts


def mask_from_counts(counts: Sequence[int], height: int, width: int) -> NDArray[np.bool_]:
    """The mask (height, width) bool that runs describe. Raises ValueError where they do not fill it exactly."""
    runs = np.asarray(counts, dtype=np.int64)
    if runs.ndim != 1 or (runs < 0).any() or runs.sum() != height * width:
        raise ValueError(f"the runs of a mask of {width}x{height} must add up to {height * width} pixels")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape((height, width), order="F")


def compressed(counts: Sequence[int]) -> str:
    """The runs as a string of ASCII characters."""
    values = np.asarray(counts, dtype=np.int64)
    values[3:] -= np.asarray(counts, dtype=np.int64)[1:-2]
    columns, used = [], []
    left = np.ones(len(values), dtype=bool)
    for _ in range(MOST):
        low = values & (MORE - 1)
        values = values >> BITS
        # The number ends where all that is left repeats the sign.
        more = values != np.where(low & SIGN, -1, 0)
        columns.append(low + np.where(more, MORE, 0) + FIRST)
        used.append(left)
        left = left & more
    text = np.stack(columns, axis=1)[np.stack(used, axis=1)]
    return bytes(text.astype(np.uint8)).decode("ascii")


def counts_from(text: str) -> list[int]:
    """The runs that `compressed` wrote. Raises ValueError for what is no such string."""
    try:
        codes = np.frombuffer(text.encode("ascii"), dtype=np.uint8).astype(np.int64) - FIRST
    except UnicodeEncodeError:
        codes = np.array([-1])
    last = (codes & MORE) == 0
    if (codes < 0).any() or (codes >= 2 * MORE).any() or (len(codes) and not last[-1]):
        raise ValueError("is no compressed run-length code of COCO: it holds other characters or is cut off")
    if not len(codes):
        return []
    starts = np.flatnonzero(np.concatenate(([True], last[:-1])))
    lengths = np.diff(starts, append=len(codes))
    if lengths.max() > MOST:
        raise ValueError("is no compressed run-length code of COCO: one of its numbers is too long")
    place = np.arange(len(codes)) - np.repeat(starts, lengths)
    values = np.add.reduceat((codes & (MORE - 1)) << (BITS * place), starts)
    values -= np.where(codes[last] & SIGN, 1 << (BITS * lengths), 0)
    # From the fourth on, each is the difference to the run before the last.
    for first in (1, 2):
        values[first::2] = np.cumsum(values[first::2])
    return [int(value) for value in values]


def encode_rle(mask: NDArray[np.bool_]) -> dict[str, object]:
    """A mask (H, W) bool as the `segmentation` of a COCO annotation: `size` [H, W] and compressed `counts`."""
    return {"size": list(mask.shape), "counts": compressed(rle_counts(mask))}


def decode_rle(segmentation: dict[str, object]) -> NDArray[np.bool_]:
    """The mask (H, W) bool of a COCO annotation's run-length code, compressed or not. Raises ValueError if damaged."""
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not isinstance(size, list) or len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
        raise ValueError(f"a run-length code of COCO needs `size`, [height, width], not {size!r}")
    if isinstance(counts, str):
        counts = counts_from(counts)
    if not isinstance(counts, list) or not all(isinstance(count, int) for count in counts):
        raise ValueError("a run-length code of COCO needs `counts`, a string or a list of whole numbers")
    return mask_from_counts(counts, *size)
