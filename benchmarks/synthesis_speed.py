"""What do the taps and the cut add to drawing an image? Beside diffusers' own pipeline with the same model.

Same weights, prompt, noise, DDIM steps, guidance, number format, threads and one image a call, in turn in one process:

- `plain`: diffusers' StableDiffusionPipeline, which draws the image and nothing else;
- `ours`: attention read on the way, AttentionCut, mask; without reading the finished image again;
- `guided`: the same, but the mask by `--refine guided`, without the cut along colours;
- `reread`: the same with this project's default of reading the finished image again under fresh noises;
- `history`: the pipeline with attention made the way that keeps every probability (all cross-attention layers, and
  self-attention of up to 32x32 positions, each head and step, conditional half), as tools that explain a finished image
  from its whole history do.

Peak memory is that of a process which does one side only, model included. Pictures of `plain` and `ours` must be the
same but for the rounding of sums in another order: exit status 1 where they differ by one level of 255 on average.

    python benchmarks/synthesis_speed.py --model mini
    python benchmarks/synthesis_speed.py --model sd15 --steps 4 --rounds 2      # random weights, 512x512
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from generators import load
from records import Table, write_tables
from torch import Tensor

from diffusionseg.backbone import Backbone
from diffusionseg.bench import Timing, take_turns
from diffusionseg.synthesis import SynthesisConfig
from diffusionseg.synthesis.sampling import draft, draw_group, make_pair

SIDES = ("plain", "ours", "guided", "reread", "history")
MOST_POSITIONS = 1024
"""Positions of the largest self-attention that the history keeps: (R, H, 4096, 4096) would not fit."""


class Keeping:
    """Attention processor of diffusers that computes all probabilities and keeps those of the conditional half."""

    def __init__(self, history: list[Tensor]) -> None:
        self.history = history

    def __call__(
        self, attn: Any, states: Tensor, encoder_hidden_states: Tensor | None = None, *_: Any, **__: Any
    ) -> Tensor:
        context = states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            attn.head_to_batch_dim(made) for made in (attn.to_q(states), attn.to_k(context), attn.to_v(context))
        )
        if encoder_hidden_states is None and states.shape[1] > MOST_POSITIONS:
            mixed = torch.nn.functional.scaled_dot_product_attention(query, key, value, scale=attn.scale)
        else:
            probabilities = attn.get_attention_scores(query, key)
            self.history.append(probabilities[len(probabilities) // 2 :].clone())
            mixed = torch.bmm(probabilities, value)
        output: Tensor = attn.to_out[1](attn.to_out[0](attn.batch_to_head_dim(mixed)))
        return output


def pipeline_of(backbone: Backbone) -> StableDiffusionPipeline:
    """Diffusers' pipeline around the same weights, with the sampler that ours uses."""
    scheduler = DDIMScheduler.from_config(
        {**backbone.scheduler_config, "clip_sample": False}, timestep_spacing="trailing"
    )
    pipe = StableDiffusionPipeline(
        vae=backbone.vae,
        text_encoder=backbone.text_encoders[0],
        tokenizer=backbone.tokenizers[0],
        unet=backbone.unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def sides(backbone: Backbone, config: SynthesisConfig) -> dict[str, Callable[[int], np.ndarray]]:
    """By name: draws the image of a number, (H, W, 3) uint8."""
    pipe = pipeline_of(backbone)
    size = config.image_size or backbone.image_size
    shape = (1, backbone.latent_channels, size // backbone.downscale, size // backbone.downscale)

    def plain(number: int) -> np.ndarray:
        one = draft(0, number, 0, "sunflower")
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(one.seed))
        images: list[np.ndarray] = pipe(
            "a photo of a sunflower",
            latents=noise.to(backbone.dtype),
            height=size,
            width=size,
            num_inference_steps=config.steps,
            guidance_scale=config.guidance,
            output_type="np",
        ).images
        return (images[0] * 255).round().astype(np.uint8)

    def with_mask(settings: SynthesisConfig) -> Callable[[int], np.ndarray]:
        def draw(number: int) -> np.ndarray:
            one = draft(0, number, 0, "sunflower")
            prompts, images, maps = draw_group(backbone, [one], settings)
            return make_pair(one, prompts[0], images[0], maps, 0, settings).image

        return draw

    def history(number: int) -> np.ndarray:
        kept: list[Tensor] = []
        before = backbone.unet.attn_processors
        backbone.unet.set_attn_processor(Keeping(kept))
        try:
            return plain(number)
        finally:
            backbone.unet.set_attn_processor(before)

    without = replace(config, reread_noises=0)
    guided = replace(without, cut=without.cut.to_pixels("guided", None))
    return {
        "plain": plain,
        "ours": with_mask(without),
        "guided": with_mask(guided),
        "reread": with_mask(config),
        "history": history,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--steps", type=int, default=25, help="a divisor of 1000")
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sides", default=",".join(SIDES))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory-of", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="also write all times there")
    args = parser.parse_args()
    if args.steps < 1 or 1000 % args.steps:
        parser.error("--steps must divide 1000: diffusers steps by whole timesteps, and would end elsewhere than ours")
    torch.set_num_threads(args.threads)
    names = args.sides.split(",")
    if args.memory_of:
        run(args, args.memory_of)
        return
    peaks = {name: memory_of(name) for name in names}
    backbone = load(args.model, getattr(torch, args.dtype))
    found = sides(backbone, settings(args))
    pictures: dict[str, np.ndarray] = {}
    with torch.no_grad():
        times = take_turns({name: partial(keep, pictures, name, found[name]) for name in names}, args.rounds)
    difference = 0.0
    if {"plain", "ours"} <= pictures.keys():
        difference = float(np.abs(pictures["plain"].astype(int) - pictures["ours"]).mean())
    report(args, times, peaks, difference)
    sys.exit(difference >= 1)


def keep(pictures: dict[str, np.ndarray], name: str, draw: Callable[[int], np.ndarray]) -> None:
    """Draw the image of number 0, which every side draws, and keep it under the side's name."""
    pictures[name] = draw(0)


def settings(args: argparse.Namespace) -> SynthesisConfig:
    return SynthesisConfig(
        steps=args.steps, guidance=args.guidance, image_size=args.image_size, templates=("a photo of {article} {name}",)
    )


def run(args: argparse.Namespace, name: str) -> None:
    """Draw one image by one side; the peak of memory goes to the standard output, in bytes."""
    with torch.no_grad():
        sides(load(args.model, getattr(torch, args.dtype)), settings(args))[name](0)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def memory_of(name: str) -> int:
    """Peak memory of a process that does one side."""
    command = [sys.executable, *sys.argv, "--memory-of", name]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def report(args: argparse.Namespace, times: dict[str, Timing], peaks: dict[str, int], difference: float) -> None:
    first = next(iter(times))
    how = "" if args.dtype == "float32" else f" {args.dtype},"
    what = f"an image of {args.model},{how} {args.steps} steps, {args.threads} thread{'s' * (args.threads > 1)}"
    if args.json:
        seconds = {name: timing.seconds for name, timing in times.items()}
        memory = {name: [peak / 1e6] for name, peak in peaks.items()}
        write_tables(
            args.json,
            [
                Table(f"Drawing {what}", "s", seconds, first, {"ours": 1.05}),
                Table(f"Peak memory of drawing {what}", "MB", memory, first, {"ours": 1.10}),
            ],
        )
    taken = f"{args.threads} threads, {args.rounds} rounds"
    print(f"{args.model},{how} {args.steps} steps, guidance {args.guidance:g}, {taken}")
    print(f"\n| side | seconds an image | times {first} | peak, MB | times {first} |\n|---|---|---|---|---|")
    for name, timing in times.items():
        ratio, peak = timing.times(times[first]), peaks[name] / peaks[first]
        print(f"| {name} | {timing.spread(1.0)} | {ratio:.3f} | {peaks[name] / 1e6:.0f} | {peak:.3f} |")
    print(f"\nmean difference of the pictures of plain and ours: {difference:.2f} of 255")


if __name__ == "__main__":
    main()
