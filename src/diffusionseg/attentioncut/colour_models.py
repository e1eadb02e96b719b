"""Mixtures of Gaussians that tell the colours of an object from those around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffusionseg.attentioncut.mincut import Floats

FEWEST = 10
"""Pixels that a Gaussian is fitted to at least."""
MOST = 2000
"""Pixels that a mixture is fitted to at most, evenly spaced ones where there are more."""
NOISE = 3.0
"""Standard deviation in grey levels that is added to every Gaussian's, as of a camera's noise."""


def colour_log_ratio(
    pixels: Floats, labels: NDArray[np.bool_], clusters: int, asked: NDArray[np.intp] | None = None
) -> Floats:
    """(N,) log of how much likelier each pixel's colour is in the object than in the background, within ±4.

    pixels: (N, 3) in 0…255. labels: (N,), what is object. asked: (M,), the pixels of which it is asked, where not of
    all; the result is (M,) then. Zeros where object or background is too small for a model.
    """
    colours = pixels if asked is None else pixels[asked]
    if min(labels.sum(), (~labels).sum()) < FEWEST:
        return np.zeros(len(colours))
    ratio: Floats = colour_log_density(colours, pixels[labels], clusters)
    ratio -= colour_log_density(colours, pixels[~labels], clusters)
    return np.clip(ratio, -4, 4)


def colour_log_density(pixels: Floats, examples: Floats, clusters: int) -> Floats:
    """(N,) log-density, up to a constant, of colours (N, 3) under a mixture of Gaussians that fits examples (M, 3).

    The mixture's parts are the clusters that k-means finds, which starts from slices along the main axis.
    """
    examples = examples[:: -(-len(examples) // MOST)]
    clusters = min(clusters, len(examples) // FEWEST)
    axis = np.linalg.eigh(covariance(examples))[1][:, -1]
    slices = np.array_split(examples[np.argsort(examples @ axis, kind="stable")], clusters)
    member = k_means(examples, np.stack([part.mean(0) for part in slices]), rounds=8)
    red, green, blue = np.ascontiguousarray(pixels.T)
    parts = []
    for cluster in range(clusters):
        own = examples[member == cluster]
        if len(own) >= FEWEST:
            factor = np.linalg.cholesky(covariance(own) + NOISE**2 * np.eye(3))
            # Three rows by hand: a matrix product's last bits depend on the number of threads.
            whiten, distance = np.linalg.inv(factor), np.zeros(len(pixels))
            for row in whiten:
                distance += (row[0] * red + row[1] * green + row[2] * blue - row @ own.mean(0)) ** 2
            parts.append(np.log(len(own) / len(examples) / factor.diagonal().prod()) - 0.5 * distance)
    largest = np.max(parts, axis=0)
    density: Floats = largest + np.log(np.sum([np.exp(part - largest) for part in parts], axis=0))
    return density


def k_means(values: Floats, centres: Floats, rounds: int) -> NDArray[np.intp]:
    """(N,) nearest centre of each of values (N, D) after so many rounds of Lloyd's iterations from centres (K, D).

    A centre that lost its members stays where it was. What `scipy.cluster.vq.kmeans2` does, whose import takes a
    fifth of a second and whose warning of an empty cluster cannot be kept from one thread alone.
    """
    columns = np.ascontiguousarray(values.T)
    for _ in range(rounds):
        distances = np.zeros((len(centres), len(values)))
        for distance, centre in zip(distances, centres, strict=True):
            for column, place in zip(columns, centre, strict=True):
                distance += (column - place) ** 2
        member: NDArray[np.intp] = distances.argmin(0)
        numbers = np.bincount(member, minlength=len(centres))
        sums = np.stack([np.bincount(member, column, len(centres)) for column in columns], 1)
        centres = np.where(numbers[:, None] > 0, sums / np.maximum(numbers, 1)[:, None], centres)
    return member


def covariance(colours: Floats) -> Floats:
    """(3, 3) of colours (N, 3). Not by a matrix product, whose last bits depend on the number of threads."""
    centred = colours - colours.mean(0)
    result: Floats = np.einsum("ni,nj->ij", centred, centred) / len(colours)
    return result
