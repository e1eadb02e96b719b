"""All methods under one name each, for running them side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from diffusionseg.attentioncut import ColourCutConfig, aggregate_cross, aggregate_self, cut_on_grid, small_cut
from diffusionseg.attentioncut.aggregate import finest_grid
from diffusionseg.backbone import AttentionMaps
from diffusionseg.baselines.centre import centre
from diffusionseg.baselines.daam import daam
from diffusionseg.baselines.grabcut import grabcut
from diffusionseg.baselines.merging import merging
from diffusionseg.baselines.ncut_affinity import ncut_affinity
from diffusionseg.baselines.ncut_features import ncut_features
from diffusionseg.baselines.propagation import propagation
from diffusionseg.baselines.reading import Reading

Saliency = NDArray[np.floating]


@dataclass(frozen=True)
class Method:
    """One way to find the main object of a photograph."""

    name: str
    """As given to `--methods`."""
    title: str
    """As printed in tables."""
    reads: tuple[str, ...]
    """Parts of the reading that it needs; their time is added to its own."""
    find: Callable[[Reading], Saliency]
    """Saliency (h, w) in 0…1 of any size."""


def _arrays(maps: Mapping[str, object]) -> list[NDArray[np.float32]]:
    """Row 0 of each layer's maps."""
    return [np.asarray(values)[0] for values in maps.values()]


def _self_grids(maps: AttentionMaps) -> list[tuple[int, int]]:
    return [maps.grids[layer] for layer in maps.self_]


def _propagation(reading: Reading) -> Saliency:
    cross, affinity, grids = _arrays(reading.named.cross), _arrays(reading.named.self_), _self_grids(reading.named)
    grid = finest_grid(list(reading.named.grids.values()))
    return propagation(aggregate_cross(cross, grid), aggregate_self(affinity, grids, grid))


def _attentioncut(reading: Reading) -> Saliency:
    """The cut and the unary probability in equal parts, as AttentionCut's own pixels begin."""
    maps = reading.named
    cut = cut_on_grid(_arrays(maps.cross), _arrays(maps.self_), _self_grids(maps))
    return (cut.labels + cut.probability) / 2


def _colour_cut(reading: Reading) -> Saliency:
    """The package's colour cut with nothing to go by but the frame."""
    nothing = np.full((1, 1), 0.5)
    return small_cut(reading.image, nothing, ColourCutConfig(prior=0.0)).astype(np.float64)


def _square(features: NDArray[np.float64]) -> tuple[int, int]:
    """The grid of features (N, C); photographs are squeezed to a square."""
    return isqrt(len(features)), isqrt(len(features))


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("centre", "centre prior", (), lambda r: centre(r.image.shape[:2])),
        Method("grabcut", "GrabCut from the centre", (), lambda r: grabcut(r.image)),
        Method("colour-cut", "colour cut without a model", (), _colour_cut),
        Method(
            "daam", "cross-attention, thresholded (DAAM)", ("encoded", "named"), lambda r: daam(_arrays(r.named.cross))
        ),
        Method("propagation", "A⁴c propagation (Dataset Diffusion)", ("encoded", "named"), _propagation),
        Method(
            "merging",
            "self-attention merging (DiffSeg)",
            ("encoded", "unnamed"),
            lambda r: merging(_arrays(r.unnamed.self_), _self_grids(r.unnamed)),
        ),
        Method(
            "ncut-features",
            "normalised cut of features (TokenCut)",
            ("encoded", "features"),
            lambda r: ncut_features(r.features.keys, _square(r.features.keys)),
        ),
        Method(
            "ncut-affinity",
            "recursive normalised cut (DiffCut)",
            ("encoded", "features"),
            lambda r: ncut_affinity(r.features.encoder, _square(r.features.encoder)),
        ),
        Method("attentioncut", "AttentionCut, training-free", ("encoded", "named"), _attentioncut),
        Method("decoder", "AttentionCut + decoder", ("decoded",), lambda r: r.decoded),
    )
}
"""Methods by name, from those that know least."""


def choose_methods(names: str) -> list[Method]:
    """The methods of a comma-separated list. Raises ValueError naming those that do not exist."""
    wanted = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    unknown = [name for name in wanted if name not in METHODS]
    if unknown or not wanted:
        raise ValueError(f"--methods {', '.join(unknown) or names}: choose from {', '.join(METHODS)}")
    return [METHODS[name] for name in wanted]
