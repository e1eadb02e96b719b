"""The normalised cut of a graph, on which TokenCut and DiffCut stand."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

from diffusionseg.baselines.centred import Floats


def unit_features(features: Floats) -> Floats:
    """Features (N, C) scaled to length 1."""
    scaled: Floats = features / np.linalg.norm(features, axis=1, keepdims=True).clip(min=1e-12)
    return scaled


def second_eigenvector(weights: Floats) -> Floats:
    """Second smallest generalised eigenvector of (D − W) v = λ D v, weights (N, N) symmetric, degrees above 0: (N,).

    Its sign is that which makes the entry of largest size positive. Source: Shi & Malik 2000, eq. 11.
    """
    degrees = weights.sum(axis=1)
    scale = 1 / np.sqrt(degrees)
    laplacian = np.eye(len(weights)) - scale[:, None] * weights * scale
    _, vectors = eigh(laplacian, subset_by_index=[1, 1])
    vector: Floats = scale * vectors[:, 0] * np.sign(vectors[np.argmax(np.abs(scale * vectors[:, 0])), 0])
    return vector


def ncut_values(partitions: Floats, weights: Floats) -> Floats:
    """cut/vol(A) + cut/vol(B), 0…2, of K partitions (K, N) of 0 and 1; infinite where one side is empty."""
    degrees = weights.sum(axis=1)
    volume = partitions @ degrees
    other = degrees.sum() - volume
    cut = volume - np.einsum("kn,kn->k", partitions @ weights, partitions)
    valid = (partitions.min(axis=1) == 0) & (partitions.max(axis=1) == 1)
    values = np.full(len(partitions), np.inf)
    values[valid] = cut[valid] / volume[valid] + cut[valid] / other[valid]
    return values
