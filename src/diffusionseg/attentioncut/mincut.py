"""Exact minimisation of the energy as an s–t cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

Floats = NDArray[np.float64]

LARGEST = 2.0**30 - 1
"""The largest capacity. Twice as much, of an edge's two directions together, fits the 32 bits of SciPy's flows."""


def capacity_scale(largest: float) -> float:
    """The largest power of two by which numbers up to `largest` do not exceed `LARGEST`: ties stay ties, and whole
    numbers whole, unless they exceed it themselves."""
    return float(2.0 ** np.floor(np.log2(LARGEST / max(largest, 1e-12))))


class Edges(NamedTuple):
    """Weights between positions, each pair of them once at most."""

    row: NDArray[np.integer]
    """(E,) one end."""
    column: NDArray[np.integer]
    """(E,) the other end."""
    weight: Floats
    """(E,) cost in nats of parting them, finite and not negative."""


@dataclass(frozen=True, eq=False)
class Cut:
    """The labelling of least energy."""

    labels: NDArray[np.bool_]
    """(N,) True for object. Where several labellings are least, the one with fewest object positions."""
    energy: float
    """Its energy in nats."""
    tolerance: float
    """How far the energy may lie above the true minimum, because capacities are integers."""


def energy(labels: NDArray[np.bool_], unary: Floats, weights: sparse.csr_array) -> tuple[float, float]:
    """(Σ U_i(y_i), Σ_{i<j} W_ij [y_i ≠ y_j]) of labels (N,), unary (N, 2), symmetric weights (N, N)."""
    chosen = np.where(labels, unary[:, 1], unary[:, 0])
    edges = sparse.coo_array(weights)
    apart = labels[edges.row] != labels[edges.col]
    return float(chosen.sum()), float(edges.data[apart].sum() / 2)


def min_cut(unary: Floats, weights: sparse.csr_array) -> Cut:
    """Minimise E(y) = Σ U_i(y_i) + Σ_{i<j} W_ij [y_i ≠ y_j] over y in {0, 1}^N.

    unary: (N, 2) finite. weights: (N, N), symmetric, not negative, zero diagonal. The cut is exact for capacities that
    are rounded as `CutGraph` says. Of two labellings each rounding error can part the energies once, so that the sum of
    the errors' largest sizes bounds how far the true minimum may lie below.

    Source: Greig, Porteous & Seheult 1989; Kolmogorov & Zabih 2004.

    Raises ValueError for shapes that do not fit, NaN, infinite or negative values, and weights that are not symmetric.
    """
    count = len(unary)
    if unary.shape != (count, 2) or weights.shape != (count, count) or count == 0:
        raise ValueError(f"unary must be (N, 2) and weights (N, N), got {unary.shape} and {weights.shape}")
    if not np.isfinite(unary).all():
        raise ValueError("unary holds NaN or infinity")
    edges = edges_once(weights)
    graph = CutGraph(count, edges)
    labels = graph.labels(unary[:, 0] - unary[:, 1])
    tolerance = (count + len(edges.weight)) / 2 / graph.scale
    return Cut(labels, sum(energy(labels, unary, weights)), tolerance)


def edges_once(weights: sparse.csr_array) -> Edges:
    """The edges of weights (N, N), zero on the diagonal. Raises ValueError unless they are symmetric, finite and not
    negative."""
    edges = sparse.coo_array(sparse.triu(sparse.csr_array(weights), k=1))
    edges.sum_duplicates()  # Each edge once, as the numbers of arcs need it.
    if len(edges.data) and not (np.isfinite(edges.data).all() and edges.data.min() >= 0):
        raise ValueError("weights must be finite and not negative")
    if abs(weights - weights.T).max() > 1e-9 * max(1.0, edges.data.max(initial=0.0)):
        raise ValueError("weights must be symmetric")
    return Edges(edges.row, edges.col, edges.data)


class CutGraph:
    """Weights whose minimum cuts are asked for again and again, each time with another unary term.

    Every cut starts from the flow of the one before, so that similar ones take half the time; the labels do not depend
    on it. Capacities are rounded to integers (SciPy's maximum flow takes nothing else), after multiplying with the
    largest power of two by which no edge or preference so far exceeds 2³⁰ − 1.

    Source: Kohli & Torr 2007 (flow kept, capacities to and from the terminals adjusted).
    """

    def __init__(self, count: int, edges: Edges) -> None:
        """Graph of `count` positions."""
        self._weights, self.scale = edges.weight, np.inf
        self._flow = FlowGraph(count, edges.row, edges.column)

    def labels(self, preference: Floats) -> NDArray[np.bool_]:
        """(N,) object positions of least energy, for preference (N,) finite: U_i(0) − U_i(1)."""
        scale = capacity_scale(max(float(np.abs(preference).max()), float(self._weights.max(initial=0.0))))
        if scale < self.scale:
            self.scale = scale
            self._flow.restart(np.rint(self._weights * self.scale).astype(np.int64))
        return self._flow.source_side(np.rint(preference * self.scale).astype(np.int64))


class FlowGraph:
    """A graph of N positions and E edges with the same capacity both ways, between a source and a sink."""

    def __init__(self, count: int, row: NDArray[np.integer], column: NDArray[np.integer]) -> None:
        """row, column: (E,), the ends of each edge, once. Its capacity is zero before `restart`."""
        everywhere, source, sink = np.arange(count), np.full(count, count), np.full(count, count + 1)
        # With the way back of every arc, as SciPy would add it, so that flows have the pattern of capacities.
        start = np.concatenate([row, column, source, everywhere, everywhere, sink])
        end = np.concatenate([column, row, everywhere, sink, source, everywhere])
        numbered = sparse.csr_array((np.arange(len(start)), (start, end)), shape=(count + 2, count + 2))
        numbered.sort_indices()
        self._arc: NDArray[np.intp] = numbered.data
        self._end: NDArray[np.int32] = numbered.indices.astype(np.int32)
        self._first: NDArray[np.int32] = numbered.indptr.astype(np.int32)
        self._row, self._column, self._count = row, column, count
        self.restart(np.zeros(len(row), np.int64))

    def restart(self, strength: NDArray[np.int64]) -> None:
        """Forget the flow; strength: (E,), capacity of each edge, at most `LARGEST`."""
        self._strength, self._flow = strength, np.zeros_like(strength)

    def source_side(self, pull: NDArray[np.int64]) -> NDArray[np.bool_]:
        """The fewest positions that the source side of a minimum cut can have: (N,) bool.

        pull: (N,), capacity from the source, or below zero to the sink, at most `LARGEST`. What the flow of the cut
        before takes out of a position is taken from its pull; nothing else remembers it.
        """
        taken = np.bincount(self._row, self._flow, self._count) - np.bincount(self._column, self._flow, self._count)
        pull = pull - taken.astype(np.int64)
        none = np.zeros(2 * self._count, np.int64)
        capacity = np.concatenate(
            [self._strength - self._flow, self._strength + self._flow, np.maximum(pull, 0), np.maximum(-pull, 0), none]
        )[self._arc].astype(np.int32)
        shape = (self._count + 2, self._count + 2)
        graph = sparse.csr_array((capacity, self._end, self._first), shape=shape)
        flow = maximum_flow(graph, self._count, self._count + 1).flow.data
        forward = np.empty(len(flow), np.int64)
        forward[self._arc] = flow
        self._flow = self._flow + forward[: len(self._flow)]
        open_ = capacity > flow
        first = np.concatenate([[0], np.cumsum(open_)])[self._first]
        residual = sparse.csr_array((open_[open_], self._end[open_], first), shape=shape)
        labels = np.zeros(self._count + 2, dtype=bool)
        labels[breadth_first_order(residual, self._count, return_predecessors=False)] = True
        return labels[: self._count]
