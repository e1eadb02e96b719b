"""What a set of synthetic pairs costs: operations counted layer by layer, hours on so many accelerators.

    python benchmarks/cost_model.py                       # operations a pair, planning table
    python benchmarks/cost_model.py --check 6             # and this machine's pairs a second against the model's

Operations are multiplications and additions of matrix products and convolutions, counted by torch itself on models
without memory (`meta`), so nothing is computed. `--tflops` is what one accelerator sustains in the U-Net, not its data
sheet's peak: measure it there with `--check`.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from diffusionseg.backbone import Backbone
from diffusionseg.backbone.architectures import FULL_SIZE
from diffusionseg.backbone.threads import side_by_side
from diffusionseg.bench import matrix_rate, operations
from diffusionseg.bench.generator_steps import unet_rows
from diffusionseg.synthesis import SynthesisConfig
from diffusionseg.synthesis.sampling import draft, synthesize_group

TOKENS = 77
"""Length of a prompt of Stable Diffusion in tokens."""


def full_size(family: str) -> tuple[int, int]:
    """Operations of one row of the U-Net and of decoding one image, at the family's own size."""
    config = FULL_SIZE[family]
    with torch.device("meta"):
        unet, vae = UNet2DConditionModel(**config["unet"]), AutoencoderKL(**config["vae"])
        side, width = config["unet"]["sample_size"], config["unet"]["cross_attention_dim"]
        latents, context = torch.empty(1, 4, side, side), torch.empty(1, TOKENS, width)
        added = {}
        if family == "sdxl":
            added = {"text_embeds": torch.empty(1, 1280), "time_ids": torch.empty(1, 6)}
        row = operations(lambda: unet(latents, torch.zeros(1), context, added_cond_kwargs=added or None))
        return row, operations(lambda: vae.decoder(latents))


def of_backbone(backbone: Backbone) -> tuple[int, int]:
    """The same of a loaded generator."""
    side = backbone.image_size // backbone.downscale
    latents = torch.zeros(1, backbone.latent_channels, side, side)
    prompt = backbone.encode_prompts(["a photo of a dog"])
    row = operations(lambda: backbone.denoise(latents, 500, prompt))
    return row, operations(lambda: backbone.decode_latents(latents))


def hours(pairs: int, each: float, devices: int, tflops: float, accepted: float) -> float:
    """Hours for `pairs` places, each of which takes 1 / `accepted` images on average."""
    return pairs * each / accepted / (devices * tflops * 1e12) / 3600


def check(backbone: Backbone, each: float, images: int, cores: int) -> None:
    """This machine's seconds an image on one core, and on several side by side, against what its matrix rate allows."""
    config = SynthesisConfig()

    def image(number: int) -> float:
        began = time.perf_counter()
        synthesize_group(backbone.replica(), [draft(0, number, 0, "sunflower")], config)
        return time.perf_counter() - began

    with side_by_side(1, one_core_each=True) as pool:
        rate = pool.submit(matrix_rate, backbone.device, backbone.dtype).result()
        pool.submit(image, 0).result()
        alone = statistics.median(pool.submit(image, n).result() for n in range(1, images + 1))
    with side_by_side(cores, one_core_each=True) as pool:
        began = time.perf_counter()
        list(pool.map(image, range(1, cores * images + 1)))
        together = (time.perf_counter() - began) / (cores * images)
    print(f"\nmatrix rate of one core {rate / 1e9:.0f} GFLOP/s; floor of an image {each / rate:.2f} s")
    print(f"one core: {alone:.2f} s an image, {alone * rate / each:.2f} times the floor")
    print(f"{cores} cores: {together:.2f} s an image, {alone / together:.2f} times as many")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tflops", type=float, default=100.0, help="Sustained by one accelerator, in 10^12 a second.")
    parser.add_argument("--accepted", type=float, default=0.5, help="Share of the images that the gate lets pass.")
    parser.add_argument("--check", type=int, default=0, metavar="IMAGES", help="Also time so many images of mini.")
    parser.add_argument("--cores", type=int, default=2)
    args = parser.parse_args()
    rows = unet_rows(SynthesisConfig())
    mini = Backbone.from_pretrained("mini", device="cpu")
    costs = {"mini": of_backbone(mini), **{family: full_size(family) for family in FULL_SIZE}}
    print(f"{rows} rows of the U-Net an image (24 steps with guidance, 12 readings)\n")
    print("| generator | U-Net, GFLOP a row | decoding, GFLOP | image, TFLOP |\n|---|---|---|---|")
    images = {name: rows * row + decode for name, (row, decode) in costs.items()}
    for name, (row, decode) in costs.items():
        print(f"| {name} | {row / 1e9:.1f} | {decode / 1e9:.1f} | {images[name] / 1e12:.2f} |")
    counts = (1, 8, 64)
    print(f"\nHours at {args.tflops:g} TFLOP/s sustained each, {args.accepted:.0%} of the images accepted:\n")
    print("| generator | pairs | " + " | ".join(f"on {n}" for n in counts) + " |\n|---|---|" + "---|" * 3)
    for name in FULL_SIZE:
        for pairs in (50_000, 1_000_000):
            cells = [hours(pairs, images[name], n, args.tflops, args.accepted) for n in counts]
            print(f"| {name} | {pairs:,} | " + " | ".join(f"{c:,.1f}" for c in cells) + " |")
    if args.check:
        check(mini, images["mini"], args.check, args.cores)


if __name__ == "__main__":
    main()
