"""Exact minimisation of the energy as an s–t cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

Floats = NDArray[np.float64]


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

    unary: (N, 2) finite. weights: (N, N), symmetric, not negative, zero diagonal. Capacities are rounded to integers
    (SciPy's maximum flow takes nothing else), on a scale at which the largest single one becomes 2³⁰ − 1, so that an
    edge's two directions together stay within 32 bits; the flow's total is 64 bits wide. The cut is exact for the
    rounded energy. Of two labellings each rounding error can part the energies once, so that the sum of the errors'
    sizes bounds how far the true minimum may lie below.

    Source: Greig, Porteous & Seheult 1989; Kolmogorov & Zabih 2004.

    Raises ValueError for shapes that do not fit, NaN, infinite or negative values, and weights that are not symmetric.
    """
    count = len(unary)
    if unary.shape != (count, 2) or weights.shape != (count, count) or count == 0:
        raise ValueError(f"unary must be (N, 2) and weights (N, N), got {unary.shape} and {weights.shape}")
    if not np.isfinite(unary).all():
        raise ValueError("unary holds NaN or infinity")
    edges = sparse.coo_array(sparse.triu(sparse.csr_array(weights), k=1))
    if len(edges.data) and not (np.isfinite(edges.data).all() and edges.data.min() >= 0):
        raise ValueError("weights must be finite and not negative")
    if abs(weights - weights.T).max() > 1e-9 * max(1.0, edges.data.max(initial=0.0)):
        raise ValueError("weights must be symmetric")
    preference = unary[:, 0] - unary[:, 1]
    largest = max(float(np.abs(preference).max()), float(edges.data.max(initial=0.0)), 1e-12)
    scale = (2.0**30 - 1) / largest
    pull = np.rint(preference * scale).astype(np.int64)
    strength = np.rint(edges.data * scale).astype(np.int64)
    labels = _source_side(pull, edges.row, edges.col, strength)
    lost = np.abs(pull - preference * scale).sum() + np.abs(strength - edges.data * scale).sum()
    return Cut(labels, sum(energy(labels, unary, weights)), float(lost / scale))


def _source_side(
    pull: NDArray[np.int64], row: NDArray[np.int32], column: NDArray[np.int32], strength: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Positions that the source still reaches in the residual graph of a maximum flow: (N,) bool."""
    count = len(pull)
    source, sink = count, count + 1
    towards, away = np.flatnonzero(pull > 0), np.flatnonzero(pull < 0)
    capacity = np.concatenate([strength, strength, pull[towards], -pull[away]])
    if len(capacity) == 0:
        return np.zeros(count, dtype=bool)
    start = np.concatenate([row, column, np.full(len(towards), source), away])
    end = np.concatenate([column, row, towards, np.full(len(away), sink)])
    graph = sparse.csr_array(
        (capacity.astype(np.int32), (start.astype(np.int32), end.astype(np.int32))), shape=(count + 2, count + 2)
    )
    graph.eliminate_zeros()
    residual = graph - maximum_flow(graph, source, sink).flow
    residual.eliminate_zeros()
    reached = breadth_first_order(residual, source, return_predecessors=False)
    labels = np.zeros(count + 2, dtype=bool)
    labels[reached] = True
    return labels[:count]
