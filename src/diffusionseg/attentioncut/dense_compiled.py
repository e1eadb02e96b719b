"""The dense cut's labels in machine code, by Numba (extra `fast`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

PATIENCE = 2
"""Relabelled positions, in positions of the graph, after which all distances to the sink are measured anew."""


def compiled(function: Callable[..., Any]) -> Any:
    """`function` in machine code, made anew by every process in a few seconds: what Numba keeps on disk are pickles."""
    return numba.njit(function, nogil=True)


@compiled
def dense_source_side(pull: NDArray[np.int64], capacity: NDArray[np.int32]) -> NDArray[np.bool_]:
    """What `dense_cut.dense_source_side` returns, many times as soon."""
    count = len(pull)
    pull = pull.copy()
    rest = np.zeros(count, np.int64)
    for i in range(count):
        for j in range(count):
            rest[i] += capacity[i, j]
    labels, decided = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    line = np.empty(count, np.int64)
    size = 0
    for i in range(count):
        if abs(pull[i]) > rest[i]:
            decided[i] = True
            line[size] = i
            size += 1
    head = 0
    while head < size:
        i = line[head]
        head += 1
        labels[i] = pull[i] > 0
        sign = 1 if labels[i] else -1
        for j in range(count):
            rest[j] -= capacity[i, j]
            pull[j] += sign * capacity[i, j]
            if not decided[j] and abs(pull[j]) > rest[j]:
                decided[j] = True
                line[size] = j
                size += 1
    size = 0
    for i in range(count):
        if not decided[i]:
            line[size] = i
            size += 1
    among, towards = np.empty((size, size), np.int32), np.empty(size, np.int64)
    for i in range(size):
        towards[i] = pull[line[i]]
        for j in range(size):
            among[i, j] = capacity[line[i], line[j]]
    source = source_side_by_pushing(towards, among)
    for i in range(size):
        labels[line[i]] = source[i]
    return labels


@compiled
def source_side_by_pushing(pull: NDArray[np.int64], room: NDArray[np.int32]) -> NDArray[np.bool_]:
    """The fewest positions that the source side of a minimum cut can have: (N,).

    pull: (N,). room: (N, N), symmetric capacities, overwritten by what is left of them.

    Everything runs backwards, from the sink's positions to the source's: what can still reach the source at the end is
    then the smallest source side, without the second half of the algorithm.

    Source: Goldberg & Tarjan 1988 (first-in first-out order); Cherkassky & Goldberg 1997 (distances measured anew,
    gaps, current arcs).
    """
    count = len(pull)
    excess, drain = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for i in range(count):
        excess[i] = max(-pull[i], 0)
        drain[i] = max(pull[i], 0)
    distance, arc = np.empty(count, np.int64), np.zeros(count, np.int64)
    order, line, waiting = np.empty(count, np.int64), np.empty(count, np.int64), np.zeros(count, np.bool_)
    at = np.zeros(count + 2, np.int64)
    head, size, relabelled = 0, 0, PATIENCE * count + 1
    while True:
        if relabelled > PATIENCE * count:
            relabelled, head, size = 0, 0, 0
            reached = measure(room, drain, distance, order)
            at[:] = 0
            for i in range(count):
                arc[i], waiting[i] = 0, False
            for k in range(reached - 1, -1, -1):
                i = order[k]
                at[distance[i]] += 1
                if excess[i] > 0:
                    line[size] = i
                    size += 1
                    waiting[i] = True
        if size == 0:
            break
        i = line[head]
        head = (head + 1) % count
        size -= 1
        waiting[i] = False
        flow = min(excess[i], drain[i])
        drain[i] -= flow
        excess[i] -= flow
        here = distance[i]
        while excess[i] > 0 and here <= count:
            j = arc[i]
            while j < count and not (room[i, j] > 0 and distance[j] == here - 1):
                j += 1
            arc[i] = j
            if j < count:
                flow = min(excess[i], np.int64(room[i, j]))
                room[i, j] -= flow
                room[j, i] += flow
                excess[i] -= flow
                excess[j] += flow
                if not waiting[j]:
                    waiting[j] = True
                    line[(head + size) % count] = j
                    size += 1
                continue
            nearest = count
            for j in range(count):
                if room[i, j] > 0:
                    nearest = min(nearest, distance[j])
            relabelled += 1
            at[here] -= 1
            if at[here] == 0:  # Nothing at this distance is left: whatever is farther is cut off.
                for j in range(count):
                    if distance[j] > here:
                        distance[j] = count + 1
                nearest = count
            here = nearest + 1
            distance[i], arc[i] = here, 0
            at[here] += 1
    measure(room, drain, distance, order)
    return distance <= count


@compiled
def measure(
    room: NDArray[np.int32], drain: NDArray[np.int64], distance: NDArray[np.int64], order: NDArray[np.int64]
) -> int:
    """Edges with room from each position to the nearest with a drain, plus one; N + 1 where there is no way.

    Written to distance (N,); the positions with a way come first in order (N,), by distance. Returns their number.
    """
    count = len(drain)
    far = np.empty(count, np.int64)
    reached = unreached = 0
    for i in range(count):
        if drain[i] > 0:
            distance[i] = 1
            order[reached] = i
            reached += 1
        else:
            distance[i] = count + 1
            far[unreached] = i
            unreached += 1
    head = 0
    while head < reached and unreached > 0:
        i = order[head]
        head += 1
        still = 0
        for k in range(unreached):
            j = far[k]
            if room[j, i] > 0:
                distance[j] = distance[i] + 1
                order[reached] = j
                reached += 1
            else:
                far[still] = j
                still += 1
        unreached = still
    return reached
