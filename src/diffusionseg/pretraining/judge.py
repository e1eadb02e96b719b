"""What a generator in training is worth: whether it finds named objects in annotated photographs, and how well it
denoises them. The annotation measures; nothing is trained on it, nor on its photographs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor
from transformers import CLIPTokenizer

from diffusionseg.backbone import Backbone
from diffusionseg.backbone.span import class_token_span
from diffusionseg.evaluation import CorLocAccumulator
from diffusionseg.evaluation.corloc import box_area
from diffusionseg.exploitation.features import as_tensor
from diffusionseg.masks import mask_boxes
from diffusionseg.pretraining.autoencoder import PATCH, PatchComponents
from diffusionseg.pretraining.generator import (
    Generator,
    GeneratorConfig,
    as_backbone,
    build_scheduler,
    velocity_loss,
    with_weights,
)
from diffusionseg.pretraining.judge_config import JudgeConfig
from diffusionseg.pretraining.judged_photos import Box, JudgedPhotos
from diffusionseg.pretraining.photo_attention import PROMPT, photo_attention
from diffusionseg.synthesis.config import SynthesisConfig
from diffusionseg.synthesis.prompts import make_prompt
from diffusionseg.synthesis.sampling import cut_row

CORLOC, LOSS = "corloc", "val_loss"
"""How the names of the numbers begin; a number of exactly that name is always among them."""
MAX_TOKENS = 1024
"""Positions of the largest attention layer that a tap reads by default."""


def check_judged(judged: JudgedPhotos, tokenizer: CLIPTokenizer, generator: GeneratorConfig) -> None:
    """Raise ValueError, before any training, where a class name has no tokens of its own in the prompt, or no attention
    layer is of the size that is read."""
    for name in sorted(set(judged.names)):
        try:
            class_token_span(tokenizer, make_prompt(PROMPT, name), name, tokenizer.model_max_length)
        except ValueError as error:
            raise ValueError(f"--judge: {error}") from error
    sides = [-(-generator.sample_size // 2**level) for level in range(len(generator.channels))]
    if not any(judged.config.min_tokens <= side**2 <= MAX_TOKENS for side in sides):
        raise ValueError(
            f"--judge reads attention layers of {judged.config.min_tokens} to {MAX_TOKENS} positions; "
            f"--image-size {generator.sample_size * PATCH} gives {', '.join(str(s**2) for s in sides)}"
        )


@torch.no_grad()
def judge(
    judged: JudgedPhotos,
    model: Generator,
    weights: Mapping[str, Tensor],
    vae: AutoencoderKL,
    tokenizer: CLIPTokenizer,
    components: PatchComponents,
    report: Callable[[int, int], None] = lambda *_: None,
) -> dict[str, float]:
    """Numbers of `model` with `weights`, the same for the same weights: CorLoc of class-aware AttentionCut, and the
    denoising loss of the photographs with their own captions.

    `corloc` (0 to 1) stands beside `corloc_whole_frame` and `corloc_centre_box`, the guesses that know nothing; each
    has a sibling such as `corloc_5_60` over the photographs whose object covers that share, in percent, where there is
    one. `val_loss` is the mean of `val_loss_0_200` … `val_loss_800_1000`, each for timesteps of that half-open range.
    `model` itself and the global random numbers are left alone. `report` is called with photographs done and in all.
    Raises ValueError where the loss is no number.
    """
    config = judged.config
    averaged = with_weights(model, weights)
    captions = [make_prompt(PROMPT, name) for name in judged.names]
    tokens = tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
    losses = validation_loss(
        averaged, components.encode(as_tensor(list(judged.squares), components.mean.device)), tokens, config
    )
    if not all(map(math.isfinite, losses.values())):
        raise ValueError("the loss of the averaged weights is no number; start again with a lower --learning-rate")
    backbone = as_backbone(averaged, vae, tokenizer)
    found: list[Box | None] = []
    for number, (image, name) in enumerate(zip(judged.images, judged.names, strict=True), 1):
        found.append(find_object(backbone, image, name, config))
        report(number, len(judged))
    return {**corloc(found, judged), **losses}


def find_object(backbone: Backbone, image: NDArray[np.uint8], name: str, config: JudgeConfig) -> Box | None:
    """Box of the largest part that AttentionCut finds of class `name` in a photograph (H, W, 3) uint8, or None."""
    maps = photo_attention(
        backbone, image, name, config.timesteps, config.noises, seed=config.seed, min_tokens=config.min_tokens
    )
    cut = cut_row(maps, 0, image, SynthesisConfig(cut=config.cut))
    boxes, _ = mask_boxes(cut.pseudo_mask == 255)
    return boxes[0] if boxes else None


def corloc(found: Sequence[Box | None], judged: JudgedPhotos) -> dict[str, float]:
    """CorLoc of one box (or None) a photograph, and of the whole frame and the centre box, over all photographs and
    over those whose largest object covers a share within `share`."""
    height, width = judged.images.shape[1:3]
    least, most = judged.config.share
    shares = [max(map(box_area, boxes)) / (height * width) for boxes in judged.boxes]
    middling = [place for place, share in enumerate(shares) if least <= share <= most]
    apart = f"_{round(100 * least)}_{round(100 * most)}"
    guesses: dict[str, Sequence[Box | None]] = {
        CORLOC: found,
        f"{CORLOC}_whole_frame": [centre_box(width, height, 1.0)] * len(judged),
        f"{CORLOC}_centre_box": [centre_box(width, height, judged.config.centre)] * len(judged),
    }
    values = {}
    for name, boxes in guesses.items():
        values[name] = _hit_rate(boxes, judged.boxes)
        if middling:
            values[name + apart] = _hit_rate([boxes[i] for i in middling], [judged.boxes[i] for i in middling])
    return values


def _hit_rate(boxes: Sequence[Box | None], objects: Sequence[Sequence[Box]]) -> float:
    accumulator = CorLocAccumulator()
    for box, present in zip(boxes, objects, strict=True):
        accumulator.update(box, present)
    return float(accumulator.result()["corloc"])


def centre_box(width: int, height: int, share: float) -> Box:
    """The box in the middle of an image whose sides are `share` (0 to 1) of the image's; the baseline of any finder."""
    across, down = width * (1 - share) / 2, height * (1 - share) / 2
    return across, down, width - across, height - down


@torch.no_grad()
def validation_loss(model: Generator, latents: Tensor, tokens: Tensor, config: JudgeConfig) -> dict[str, float]:
    """Mean denoising error of latents (N, C, h, w) with tokens (N, L) in equal parts of the schedule, and of all.

    Every photograph is noised once in each part; timesteps and noises depend on the seed and the photograph's place.
    """
    device = next(model.parameters()).device
    alphas = build_scheduler().alphas_cumprod
    generator = torch.Generator().manual_seed(config.seed)
    count, parts = len(latents), config.buckets
    errors = torch.zeros(parts, dtype=torch.float64)
    group = max(1, config.batch_size // parts)
    for start in range(0, count, group):
        some, captions = latents[start : start + group].to(device), tokens[start : start + group].to(device)
        # Timesteps are stratified over the rows, so each repetition of the group falls into a part of its own.
        rows = torch.arange(len(some), device=device).repeat(parts)
        _, each, _ = velocity_loss(model, some.repeat(parts, 1, 1, 1), captions, rows, alphas, generator)
        errors += each.view(parts, -1).sum(1).double().cpu()
    means = (errors / count).tolist()
    edges = [part * len(alphas) // parts for part in range(parts + 1)]
    named = {f"{LOSS}_{a}_{b}": mean for a, b, mean in zip(edges, edges[1:], means, strict=False)}
    return {LOSS: sum(means) / parts, **named}


def judge_panels(names: Iterable[str]) -> dict[str, list[str]]:
    """The panels of the curves, title → names, for those of `names` that are numbers of `judge`."""
    names = list(names)
    titles = {"CorLoc of named objects": CORLOC, "loss of judged photographs": LOSS}
    panels = {title: [n for n in names if n.startswith(start)] for title, start in titles.items()}
    return {title: found for title, found in panels.items() if found}
