"""Run-length codes of Label Studio's brush: a bit stream over the four channels of every pixel.

The format is that of thi.ng's rle-pack, which Label Studio's front end unpacks: 32 bits number of values, 5 bits word
size − 1, four times 4 bits a run length's size − 1; then for every run 1, two bits that choose one of the four sizes,
length − 1 in so many bits, and the value. A 0 in place of the 1 announces values that are written one by one. Masks are
written as label-studio-converter's `brush.mask2rle` does, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diffusionseg.masks.contracts import bool_mask

CHANNELS = 4
"""Red, green, blue and opacity, all the same here."""
WORD = 8
"""Bits of a value."""
SIZES = np.array([3, 4, 8, 16])
"""Bits that a run's length − 1 may take."""
LONGEST = 1 << 16
"""Longest run in values."""


def encode_brush(mask: NDArray[np.bool_]) -> list[int]:
    """A mask (H, W) bool as the bytes of a brush region, row by row: object 255, background 0."""
    flat = bool_mask("mask", mask).ravel()
    bounds = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]))
    lengths, values = np.diff(bounds) * CHANNELS, flat[bounds[:-1]]
    pieces = -(-lengths // LONGEST)
    values = np.repeat(values, pieces)
    last = np.cumsum(pieces) - 1
    runs = np.full(len(values), LONGEST)
    runs[last] = lengths - (pieces - 1) * LONGEST
    # No run is shorter than a pixel's four values, so none is written value by value.
    chosen = np.searchsorted(1 << SIZES, runs)
    sizes = SIZES[chosen]
    codes = ((0b100 | chosen) << (sizes + WORD)) | ((runs - 1) << WORD) | np.where(values, 255, 0)
    header = [(flat.size * CHANNELS, 32), (WORD - 1, 5), *((int(size) - 1, 4) for size in SIZES)]
    bits = [_bits(*map(np.array, zip(*header, strict=True))), _bits(codes, sizes + 3 + WORD)]
    packed = np.packbits(np.concatenate(bits))
    # The converter adds a whole byte where the last one is full.
    full = sum(map(len, bits)) % 8 == 0
    return [*packed.tolist(), *([0] if full else [])]


def decode_brush(code: Sequence[int], height: int, width: int) -> NDArray[np.bool_]:
    """The mask (height, width) bool of a brush region: where its opacity is not 0.

    Raises ValueError for a code that is cut off or of another size.
    """
    bits = np.unpackbits(np.asarray(code, dtype=np.uint8))
    place = 0

    def read(size: int) -> int:
        nonlocal place
        if place + size > len(bits):
            raise ValueError("the brush's code is cut off")
        value = int("".join(map(str, bits[place : place + size])), 2)
        place += size
        return value

    number, word = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    if number != height * width * CHANNELS:
        raise ValueError(f"the brush's code holds {number} values, not those of {width}x{height} pixels")
    values = np.zeros(number, dtype=np.uint64)
    start = 0
    while start < number:
        repeated = read(1)
        end = min(number, start + 1 + read(sizes[read(2)]))
        values[start:end] = read(word) if repeated else [read(word) for _ in range(end - start)]
        start = end
    return values.reshape(height, width, CHANNELS)[:, :, 3] > 0


def _bits(codes: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The lowest `sizes` bits of each code, the highest of them first, one after the other."""
    ends = np.cumsum(sizes)
    shifts = np.repeat(ends, sizes) - 1 - np.arange(ends[-1])
    return (np.repeat(codes, sizes) >> shifts & 1).astype(np.uint8)
