"""One image with its attention kept apart by layer and timestep, so that it can be cut again and again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from diffusionseg.attentioncut import aggregate_self
from diffusionseg.backbone import AttentionMaps, Backbone
from diffusionseg.backbone.threads import side_by_side
from diffusionseg.synthesis.config import SynthesisConfig
from diffusionseg.synthesis.pair import SyntheticPair
from diffusionseg.synthesis.prompts import assign_class
from diffusionseg.synthesis.sampling import Draft, Reading, draft, draw_readings, make_pair


@dataclass(frozen=True, eq=False)
class Drawing:
    """A synthesised image before any cut."""

    draft: Draft
    """Place, attempt, class and seed."""
    prompt: str
    """The whole prompt."""
    image: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    readings: tuple[Reading, ...]
    """Attention of each third of the run and, of the finished image, at each timestep that it was read again at."""

    @property
    def blocks(self) -> dict[str, tuple[int, int]]:
        """Transformer blocks whose attention was read, with the grid (h, w) of each, in the model's order."""
        maps = self.readings[0].maps
        names = dict.fromkeys([*maps.cross, *maps.self_])
        return {_block(name): maps.grids[name] for name in names}

    @property
    def bytes(self) -> int:
        """Memory that the attention takes."""
        maps = (m for r in self.readings for m in (*r.maps.cross.values(), *r.maps.self_.values()))
        return sum(m.nbytes for m in maps)


def draw(
    backbone: Backbone, class_names: Sequence[str], index: int, seed: int, attempt: int, config: SynthesisConfig
) -> Drawing:
    """The image that `synthesize` would make at a place and attempt, bit for bit, with its attention kept apart.

    Raises ValueError for a class name that the generator's prompt cannot hold.
    """
    one = draft(seed, index, attempt, assign_class(index, class_names))
    replica = backbone.replica()
    with side_by_side(1, one_core_each=backbone.device.type == "cpu") as pool:
        prompts, images, readings = pool.submit(draw_readings, replica, [one], config, apart=True).result()
    first = tuple(replace(r, maps=_first_row(r.maps)) for r in readings)
    return Drawing(one, prompts[0], images[0], first)


def usual_readings(drawing: Drawing, config: SynthesisConfig) -> list[int]:
    """Numbers of the readings that `synthesize` would use: those inside the attention window, and all fresh ones."""
    run = [t for reading in drawing.readings if not reading.fresh for t in reading.timesteps]
    low, high = config.attention_window
    inside = {t for i, t in enumerate(run) if low <= (i + 0.5) / len(run) <= high}
    return [n for n, r in enumerate(drawing.readings) if r.fresh or 2 * len(inside & {*r.timesteps}) > len(r.timesteps)]


def chosen_maps(
    drawing: Drawing, readings: Collection[int] | None = None, blocks: Collection[str] | None = None
) -> AttentionMaps:
    """The mean over some of a drawing's `readings`, by number, in some of its `blocks`; None stands for all.

    Raises ValueError where nothing is chosen or there is no such reading or block.
    """
    numbers = range(len(drawing.readings)) if readings is None else sorted(set(readings))
    names = set(drawing.blocks if blocks is None else blocks)
    if not numbers or not names:
        raise ValueError("choose at least one timestep and one layer")
    if not set(numbers) <= set(range(len(drawing.readings))) or not names <= set(drawing.blocks):
        raise ValueError("there is no such timestep or layer in this image")
    maps = reduce(AttentionMaps.merge, (drawing.readings[n].maps for n in numbers))
    return replace(
        maps,
        cross={name: m for name, m in maps.cross.items() if _block(name) in names},
        self_={name: m for name, m in maps.self_.items() if _block(name) in names},
    )


def cut_drawing(drawing: Drawing, maps: AttentionMaps, config: SynthesisConfig) -> SyntheticPair:
    """The pair that a drawing gives with these of its maps and the constants of `config.cut`."""
    return make_pair(drawing.draft, drawing.prompt, drawing.image, maps, 0, config)


def attention_from(maps: AttentionMaps, point: tuple[float, float]) -> NDArray[np.float64]:
    """Self-attention (h, w) of one point (x, y), each a share 0…1 of the image's width and height; its sum is 1."""
    grids = [maps.grids[name] for name in maps.self_]
    height, width = max(grids, key=lambda grid: grid[0] * grid[1])
    affinity = aggregate_self([m[0].numpy() for m in maps.self_.values()], grids, (height, width))
    column, row = (
        min(int(max(0.0, share) * side), side - 1) for share, side in zip(point, (width, height), strict=True)
    )
    attention: NDArray[np.float64] = affinity[row * width + column].reshape(height, width)
    return attention


def _block(layer: str) -> str:
    return layer.rpartition(".")[0]


def _first_row(maps: AttentionMaps) -> AttentionMaps:
    """On the CPU, and a copy, so that the padding rows of the call are not kept."""
    cross = {name: m[:1].float().cpu().clone() for name, m in maps.cross.items()}
    return replace(maps, cross=cross, self_={name: m[:1].float().cpu().clone() for name, m in maps.self_.items()})
