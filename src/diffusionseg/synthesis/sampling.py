"""Denoise one group of samples under a class prompt while its attention is read, then cut."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffusionseg.attentioncut import AttentionCutResult, attention_cut
from diffusionseg.backbone import AttentionMaps, AttentionTap, Backbone, Conditioning, sample
from diffusionseg.backbone.ddim import timestep_schedule
from diffusionseg.backbone.overflow import in_float32, may_overflow
from diffusionseg.backbone.schedule import add_noise
from diffusionseg.backbone.span import find_name
from diffusionseg.masks import mask_boxes
from diffusionseg.synthesis.config import SynthesisConfig
from diffusionseg.synthesis.gate import measure
from diffusionseg.synthesis.pair import SyntheticPair
from diffusionseg.synthesis.prompts import make_prompt


@dataclass(frozen=True)
class Draft:
    """What decides everything about one sample: place, attempt, and with the run seed all its randomness."""

    index: int
    """Place in the set."""
    attempt: int
    """Attempt at this place, from 0."""
    class_name: str
    """Class of this place."""
    seed: int
    """Seed of template and noise."""


@dataclass(frozen=True, eq=False)
class Reading:
    """Attention of one group of samples, averaged over some of the U-Net calls."""

    timesteps: tuple[int, ...]
    """Timesteps of those calls."""
    fresh: bool
    """Whether the finished images were read again under fresh noise, and not while they were drawn."""
    maps: AttentionMaps
    """The means."""


def draft(run_seed: int, index: int, attempt: int, class_name: str) -> Draft:
    """A draft whose seed depends on (run seed, index, attempt) and nothing else."""
    words = np.random.SeedSequence((run_seed, index, attempt)).generate_state(2, np.uint32)
    return Draft(index, attempt, class_name, int(words[0]) << 21 | int(words[1]) >> 11)


def check_request(backbone: Backbone, class_names: Sequence[str], config: SynthesisConfig) -> None:
    """Raise ValueError, naming it, for a size or a class name that the generator cannot work with."""
    if not class_names:
        raise ValueError("class_names is empty")
    size = config.image_size or backbone.image_size
    if size % backbone.downscale:
        raise ValueError(f"--image-size must be a multiple of {backbone.downscale} for {backbone.name}, got {size}")
    late = [t for t in config.reread_timesteps if t >= len(backbone.alphas_cumprod)]
    if late:
        raise ValueError(f"reread_timesteps must be below {len(backbone.alphas_cumprod)}, got {late}")
    for name in class_names:
        for template in config.templates:
            prompt, before = make_prompt(template, name), make_prompt(template.partition("{name}")[0], name)
            backbone.class_span(prompt, name)
            # Attention is read at the first place where the name stands.
            if find_name(prompt, name)[0] < len(before):
                raise ValueError(
                    f"class name {name!r} is also a word of the template {template!r}; choose others with --template"
                )


def synthesize_group(backbone: Backbone, drafts: Sequence[Draft], config: SynthesisConfig) -> list[SyntheticPair]:
    """Make the pairs of one U-Net call: always `call_size` rows, the last draft repeated where fewer are given."""
    prompts, images, maps = draw_group(backbone, drafts, config)
    return [make_pair(d, prompts[i], images[i], maps, i, config) for i, d in enumerate(drafts)]


def draw_group(
    backbone: Backbone, drafts: Sequence[Draft], config: SynthesisConfig
) -> tuple[list[str], NDArray[np.uint8], AttentionMaps]:
    """Prompts, images (B, H, W, 3) and attention of one U-Net call of `call_size` rows B, before any cut.

    Rows that are no numbers in a half format are those of the same call in float32. Raises ValueError where that does
    not help.
    """
    prompts, images, readings = draw_readings(backbone, drafts, config)
    return prompts, images, reduce(AttentionMaps.merge, (reading.maps for reading in readings))


def draw_readings(
    backbone: Backbone, drafts: Sequence[Draft], config: SynthesisConfig, *, apart: bool = False
) -> tuple[list[str], NDArray[np.uint8], list[Reading]]:
    """`draw_group` with its attention in parts: that of the run, and that of the finished images read again.

    `apart` splits further, into each third of the whole run, whatever `attention_window` is, and each of
    `reread_timesteps`.
    """
    rows = [*drafts, *[drafts[-1]] * (config.call_size - len(drafts))]
    prompts = [_prompt(d, config) for d in rows]
    pixels, readings, usable = _draw(backbone, rows, prompts, config, apart)
    if not usable.all() and may_overflow(backbone):
        # Each row from the one or the other call, so that none depends on what became of its neighbours.
        again, others, again_usable = _draw(in_float32(backbone), rows, prompts, config, apart)
        pixels = torch.where(usable[:, None, None, None], pixels, again)
        readings = [
            replace(one, maps=one.maps.where(usable, other.maps)) for one, other in zip(readings, others, strict=True)
        ]
        usable |= again_usable
    if not usable.all():
        raise ValueError(
            f"{backbone.name}: its images are no numbers, in float32 as well; its weights are damaged, copy or "
            "download them again"
        )
    images = (pixels.permute(0, 2, 3, 1) * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return prompts, images, readings


@torch.no_grad()
def _draw(
    backbone: Backbone, rows: Sequence[Draft], prompts: Sequence[str], config: SynthesisConfig, apart: bool
) -> tuple[Tensor, list[Reading], Tensor]:
    """Pixels (B, 3, H, W) in 0…1, attention, and which rows (B,) of both are numbers."""
    conditioning = backbone.encode_prompts(prompts, [d.class_name for d in rows])
    side = (config.image_size or backbone.image_size) // backbone.downscale
    start, *fresh = torch.stack([_noises(d.seed, backbone, side, 1 + config.reread_noises) for d in rows], 1)
    latents, readings = _denoise(backbone, start, conditioning, config, apart)
    if fresh:
        readings += _reread(backbone, latents, conditioning, fresh, config, apart)
    pixels = backbone.decode_latents(latents)
    usable = torch.stack([pixels.flatten(1).isfinite().all(1), *(reading.maps.usable() for reading in readings)])
    return pixels, readings, usable.all(0)


def _prompt(one: Draft, config: SynthesisConfig) -> str:
    template = config.templates[one.seed % len(config.templates)]
    return make_prompt(template, one.class_name)


def _noises(seed: int, backbone: Backbone, side: int, count: int) -> Tensor:
    """What a seed gives: (count, C, side, side)."""
    # On the CPU, so that the same seed gives the same noise on every device.
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((count, backbone.latent_channels, side, side), generator=generator)


def _denoise(
    backbone: Backbone, noise: Tensor, conditioning: Conditioning, config: SynthesisConfig, apart: bool
) -> tuple[Tensor, list[Reading]]:
    """Guided sampling (Ho & Salimans 2022, eq. 6); returns clean latents and the attention that was read."""
    timesteps = timestep_schedule(config.steps, train_steps=len(backbone.alphas_cumprod))
    groups = _thirds(timesteps) if apart else [_window(timesteps, config)]
    count = len(noise)
    # Models that were distilled with guidance take its scale as an input and need no unconditional half.
    guided = config.guidance > 1 and not backbone.embeds_guidance
    both = conditioning
    if guided:
        negative = backbone.encode_prompts([config.negative_prompt] * count) if config.negative_prompt else None
        both = Conditioning.concat([negative or backbone.empty_prompt(count), conditioning])
    rows = slice(count, 2 * count) if guided else slice(0, count)
    taps = [_tap(backbone, both, rows, config) for _ in groups]

    def predict(latents: Tensor, timestep: int) -> Tensor:
        _record_at(timestep, taps, groups)
        if not guided:
            return backbone.denoise(latents, timestep, both, guidance_scale=config.guidance)
        unconditional, conditional = backbone.denoise(torch.cat([latents, latents]), timestep, both).chunk(2)
        return unconditional + config.guidance * (conditional - unconditional)

    with ExitStack() as entered:
        for tap in taps:
            entered.enter_context(tap)
        start = noise.to(backbone.device)
        *_, (_, clean) = sample(backbone, start, both, timesteps, solver=config.solver, predict=predict)
    return clean, [Reading(tuple(g), False, tap.maps()) for g, tap in zip(groups, taps, strict=True)]


def _reread(
    backbone: Backbone,
    latents: Tensor,
    conditioning: Conditioning,
    noises: Sequence[Tensor],
    config: SynthesisConfig,
    apart: bool,
) -> list[Reading]:
    """Attention of finished latents (B, C, h, w), noised afresh by each of `noises`, to the same prompts."""
    timesteps = config.reread_timesteps
    groups = [[t] for t in dict.fromkeys(timesteps)] if apart else [list(timesteps)]
    taps = [_tap(backbone, conditioning, None, config) for _ in groups]
    with ExitStack() as entered:
        for tap in taps:
            entered.enter_context(tap)
        for noise in noises:
            for t in timesteps:
                _record_at(t, taps, groups)
                noised = add_noise(latents, noise.to(latents), float(backbone.alphas_cumprod[t]))
                backbone.denoise(noised, t, conditioning, guidance_scale=config.guidance)
    return [Reading(tuple(g), True, tap.maps()) for g, tap in zip(groups, taps, strict=True)]


def _window(timesteps: Sequence[int], config: SynthesisConfig) -> list[int]:
    low, high = config.attention_window
    inside = [t for i, t in enumerate(timesteps) if low <= (i + 0.5) / config.steps <= high]
    return inside or [timesteps[min(int(low * config.steps), config.steps - 1)]]


def _thirds(timesteps: Sequence[int]) -> list[list[int]]:
    size = -(-len(timesteps) // 3)
    return [list(timesteps[start : start + size]) for start in range(0, len(timesteps), size)]


def _tap(backbone: Backbone, conditioning: Conditioning, rows: slice | None, config: SynthesisConfig) -> AttentionTap:
    return AttentionTap(
        backbone, conditioning, rows=rows, cross_layers=config.cross_layers, self_layers=config.self_layers
    )


def _record_at(timestep: int, taps: Sequence[AttentionTap], groups: Sequence[Sequence[int]]) -> None:
    for tap, group in zip(taps, groups, strict=True):
        tap.recording = timestep in group


def make_pair(
    one: Draft, prompt: str, image: NDArray[np.uint8], maps: AttentionMaps, row: int, config: SynthesisConfig
) -> SyntheticPair:
    """Cut one row of recorded maps and describe it."""
    cut = cut_row(maps, row, image, config)
    boxes, _ = mask_boxes(cut.pseudo_mask == 255)
    return SyntheticPair(
        index=one.index,
        class_name=one.class_name,
        prompt=prompt,
        seed=one.seed,
        attempt=one.attempt,
        image=image,
        mask=cut.pseudo_mask,
        attention=cut.cross.astype(np.float32),
        box=boxes[0] if boxes else None,
        energy=dict(cut.energy),
        swapped=cut.swapped,
        quality=measure(cut.pseudo_mask, cut.agreement, cut.confidence),
    )


def cut_row(maps: AttentionMaps, row: int, image: NDArray[np.uint8], config: SynthesisConfig) -> AttentionCutResult:
    """AttentionCut of one row of recorded maps with its image (H, W, 3) uint8."""
    cross = [m[row].float().cpu().numpy() for m in maps.cross.values()]
    affinities = [m[row].float().cpu().numpy() for m in maps.self_.values()]
    grids = [maps.grids[name] for name in maps.self_]
    return attention_cut(cross, affinities, grids, image, config.cut)
