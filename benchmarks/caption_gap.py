"""Where in the schedule a generator uses its caption: denoising error with the right caption and with an empty one.

What a small generator knows of a class shows at the timesteps at which the right caption lowers the error; elsewhere it
denoises texture. Example: python benchmarks/caption_gap.py PHOTOS.parquet --classes-file recipes/mini/phase3.toml
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from diffusionseg.backbone import Backbone
from diffusionseg.backbone.ddim import split_prediction
from diffusionseg.pretraining.photo_attention import PROMPT
from diffusionseg.pretraining.photos import read_class_file, read_photos
from diffusionseg.synthesis.prompts import make_prompt

TIMESTEPS = (50, 150, 250, 350, 450, 550, 650, 750, 850, 950, 990)


@torch.no_grad()
def clean_error(
    backbone: Backbone, latents: Tensor, prompts: Sequence[str], timestep: int, noise: Tensor, batch: int = 32
) -> float:
    """Mean squared error of the predicted clean latents, in units of the latents' variance."""
    signal = float(backbone.alphas_cumprod[timestep])
    errors = []
    for start in range(0, len(latents), batch):
        some = slice(start, start + batch)
        noisy = signal**0.5 * latents[some] + (1 - signal) ** 0.5 * noise[some]
        output = backbone.denoise(noisy, timestep, backbone.encode_prompts(prompts[some]))
        clean, _ = split_prediction(noisy, output, signal, backbone.prediction_type)
        errors.append((clean - latents[some]).pow(2).mean((1, 2, 3)))
    return float(torch.cat(errors).mean() / latents.var())


def main() -> None:
    """Print a Markdown table of the errors by timestep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="+", type=Path, help="Parquet files, or folders of class folders.")
    parser.add_argument("--classes-file", type=Path, help="TOML file with the classes to use; default all.")
    parser.add_argument("--model", default="mini")
    parser.add_argument("--count", type=int, default=192, help="Photographs, drawn at random.")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    backbone = Backbone.from_pretrained(arguments.model)
    classes = read_class_file(arguments.classes_file)[0] if arguments.classes_file else None
    photos = read_photos(arguments.photos, backbone.image_size, classes)
    rows = np.random.default_rng(arguments.seed).permutation(len(photos))[: arguments.count]
    prompts = [make_prompt(PROMPT, photos.names[photos.labels[row]]) for row in rows]
    pixels = torch.from_numpy(photos.images[rows]).permute(0, 3, 1, 2).float() / 255
    latents = torch.cat([backbone.encode_images(part) for part in pixels.split(32)])
    generator = torch.Generator().manual_seed(arguments.seed)
    print("| timestep | right caption | empty caption | gained |\n|---|---|---|---|")
    for timestep in TIMESTEPS:
        noise = torch.randn(latents.shape, generator=generator)
        right = clean_error(backbone, latents, prompts, timestep, noise)
        empty = clean_error(backbone, latents, [""] * len(prompts), timestep, noise)
        print(f"| {timestep} | {right:.4f} | {empty:.4f} | {100 * (1 - right / empty):.2f} % |", flush=True)


if __name__ == "__main__":
    main()
