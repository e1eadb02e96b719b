"""Outlines of masks as polygons, from which the same pixels can be drawn again.

An outline runs along the edges between object and background pixels, object on its right. Formats of polygons know no
holes; each hole is joined to the outline at its left by a slit that is passed there and back and encloses nothing, so
that a part of the mask is one closed polygon.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from diffusionseg.masks.contracts import bool_mask

RIGHT, DOWN, LEFT, UP = range(4)
"""Directions of edges, clockwise."""
STEPS = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])
"""(x, y) from an edge's start to its end."""
INSIDE = np.array([(0, 0), (-1, 0), (-1, -1), (0, -1)])
"""(x, y) from an edge's start to the object pixel on its right."""
Integers = NDArray[np.int64]
Polygon = NDArray[np.int64]
"""(N, 2): x, y of the corners of a closed polygon, the first not repeated."""


@dataclass(frozen=True, eq=False)
class _Edges:
    """Edges between object and background, and the turning points of slits."""

    starts: Polygon
    """(N, 2) corners of pixels."""
    ends: Polygon
    """(N, 2) corners of pixels."""
    pixels: Polygon
    """(N, 2) the object pixel at each."""
    after: Integers
    """(N) the edge that follows each in its outline."""


def corner_polygons(mask: NDArray[np.bool_]) -> list[Polygon]:
    """Polygons of a mask (H, W) bool along the corners of its pixels, 0 … W and 0 … H.

    One for each part whose pixels share edges, by its first row; its pixels are those whose centre the polygon
    encloses (even-odd).
    """
    edges = _edges(mask)
    points = np.stack([edges.starts, edges.ends], axis=1)
    return [_corners(points[ring].reshape(-1, 2)) for ring in _rings(edges.after)]


def centre_polygons(mask: NDArray[np.bool_]) -> list[Polygon]:
    """Polygons of a mask (H, W) bool through its outermost pixels, as OpenCV's `findContours` gives them: 0 … W − 1.

    For readers that draw the polygon's line as part of the object, as OpenCV's `fillPoly` does. A part of one pixel or
    of one straight line has a polygon of one or two corners.
    """
    edges = _edges(mask)
    return [_corners(edges.pixels[ring]) for ring in _rings(edges.after)]


def _edges(mask: NDArray[np.bool_]) -> _Edges:
    """The edges of a mask, each part's joined to one outline."""
    inside = np.pad(bool_mask("mask", mask), 1)
    across, along = inside[:-1] != inside[1:], inside[:, :-1] != inside[:, 1:]
    found = []
    for changes, direction, (x0, y0) in (
        (across & inside[1:], RIGHT, (-1, 0)),
        (along & inside[:, :-1], DOWN, (0, -1)),
        (across & inside[:-1], LEFT, (0, 0)),
        (along & inside[:, 1:], UP, (0, 0)),
    ):
        y, x = np.nonzero(changes)
        found.append(np.stack([y + y0, x + x0, np.full(len(y), direction)], axis=1))
    sorted_edges = np.concatenate(found)
    sorted_edges = sorted_edges[np.lexsort(sorted_edges.T[::-1])]
    starts, directions = sorted_edges[:, 1::-1], sorted_edges[:, 2]
    ends, after = starts + STEPS[directions], _successors(starts, directions, mask.shape[1] + 1)
    edges = _Edges(starts, ends, starts + INSIDE[directions], after)
    return _with_slits(edges, *_leftmost_of_holes(edges, directions)) if len(starts) else edges


def _successors(starts: Polygon, directions: Integers, columns: int) -> Integers:
    """The edge that follows each: it turns right where it can, so that pixels which only share a corner are apart."""
    keys = (starts[:, 1] * columns + starts[:, 0]) * 4 + directions
    ends = starts + STEPS[directions]
    after = np.full(len(keys), -1)
    # Left, straight on, right: the last that there is stays.
    for turn in (3, 0, 1):
        wanted = (ends[:, 1] * columns + ends[:, 0]) * 4 + (directions + turn) % 4
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        after = np.where(keys[place] == wanted, place, after) if len(keys) else after
    return after


def _leftmost_of_holes(edges: _Edges, directions: Integers) -> tuple[Integers, Integers]:
    """The leftmost edge of every hole, which closes a run of object pixels in a row, and the edge that opens this run.

    The opening edge belongs to an outline that reaches further left than the hole, so that by joining both every hole
    ends at the part's outer outline.
    """
    opening, closing = np.flatnonzero(directions == UP), np.flatnonzero(directions == DOWN)
    opening = opening[np.lexsort(edges.pixels[opening].T)]
    closing = closing[np.lexsort(edges.pixels[closing].T)]
    number = len(directions)
    graph = csr_array((np.ones(number, dtype=np.int8), (np.arange(number), edges.after)), shape=(number, number))
    outlines, outline = connected_components(graph, directed=False)
    x = edges.starts[:, 0]
    leftmost = np.full(outlines, np.iinfo(np.int64).max)
    np.minimum.at(leftmost, outline[opening], x[opening])
    order = np.lexsort((x[closing], outline[closing]))
    owners, first = np.unique(outline[closing][order], return_index=True)
    run = order[first]
    # What is furthest left of an outer outline opens a run.
    run = run[x[closing[run]] < leftmost[owners]]
    return closing[run], opening[run]


def _with_slits(edges: _Edges, closing: Integers, opening: Integers) -> _Edges:
    """Edges in which each opening edge is followed by its closing one, and the hole's last edge by the way back."""
    before = np.argsort(edges.after)
    number, slits = len(edges.after), len(closing)
    back = number + np.arange(slits)
    after = np.concatenate([edges.after, back + slits, edges.after[opening]])
    after[before[closing]] = back
    after[opening] = closing
    # The way back turns where the way there began and ended: at a corner, and at the same pixel.
    points = [edges.starts[closing], edges.ends[opening]]
    return _Edges(
        np.concatenate([edges.starts, *points]),
        np.concatenate([edges.ends, *points]),
        np.concatenate([edges.pixels, edges.pixels[closing], edges.pixels[opening]]),
        after,
    )


def _rings(after: Integers) -> list[Integers]:
    """The edges of every outline in order."""
    following, seen, rings = after.tolist(), np.zeros(len(after), dtype=bool), []
    for first in range(len(after)):
        if not seen[first]:
            ring = [first]
            while (edge := following[ring[-1]]) != first:
                ring.append(edge)
            seen[ring] = True
            rings.append(np.array(ring))
    return rings


def _corners(points: Polygon) -> Polygon:
    """A closed line without points that repeat the one before or lie straight between their neighbours."""
    moved = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
    if not len(moved):
        return points[:1]
    arriving, leaving = moved - np.roll(moved, 1, axis=0), np.roll(moved, -1, axis=0) - moved
    corners: Polygon = moved[(np.sign(arriving) != np.sign(leaving)).any(axis=1)]
    return corners
