"""What does the saliency of one photograph cost, in U-Net calls?

The parts of a prediction and its whole take turns in one process, at the generator's own size, one photograph a call:
one plain call of the U-Net is the floor; `features` is what the fast mode adds to the photograph's latents (one
noising, and the U-Net up to the last layer that is read); `encoding` the way there, `decoder` the way back;
`saliency` all of it; `inversion` all of it by DDIM inversion in so many steps instead. With `--weights` it is that
decoder on its generator, with `--model` one of the default shape and random weights on any generator.

    python benchmarks/prediction_speed.py --weights mini
    python benchmarks/prediction_speed.py --model sd15 --rounds 3      # random weights, 512x512
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from generators import load
from records import Table, write_tables

from diffusionseg.backbone import FeatureTap
from diffusionseg.backbone.schedule import add_noise
from diffusionseg.bench import take_turns
from diffusionseg.exploitation import Decoder, DecoderConfig, DiffusionSeg, FeatureConfig, extract_features
from diffusionseg.segmenters import load_segmenter


def on_model(args: argparse.Namespace) -> DiffusionSeg:
    """A decoder with random weights on a generator."""
    layers = tuple(args.layers.split(",")) if args.layers else None
    config = FeatureConfig(timesteps=(args.timestep,), layers=layers)
    backbone = load(args.model)
    pictures = torch.rand(1, 3, backbone.image_size, backbone.image_size)
    levels = extract_features(backbone, pictures, config)
    return DiffusionSeg(backbone, Decoder([level.shape[1] for level in levels], DecoderConfig()), config)


def parts(model: DiffusionSeg, inversion_steps: int) -> dict[str, Callable[[], object]]:
    """By name: one run of a part of a prediction."""
    backbone, config, decoder = model.backbone, model.feature_config, model.decoder
    image = np.random.default_rng(0).integers(0, 256, (model.side, model.side, 3)).astype(np.uint8)
    pictures = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    prompt = backbone.empty_prompt(1)
    latents = backbone.encode_images(pictures)
    levels = extract_features(backbone, pictures, config)
    slow = DiffusionSeg(backbone, decoder, replace(config, mode="inversion", steps=inversion_steps))
    (timestep,) = config.timesteps
    noise = torch.randn(latents.shape)
    noised = add_noise(latents, noise, float(backbone.alphas_cumprod[timestep]))

    def features() -> object:
        fresh = add_noise(latents, noise, float(backbone.alphas_cumprod[timestep]))
        with FeatureTap(backbone, config.layers, stop=True) as tap:
            backbone.denoise(fresh, timestep, prompt)
        return tap

    return {
        "one U-Net call": lambda: backbone.denoise(noised, timestep, prompt),
        "features": features,
        "encoding": lambda: backbone.encode_images(pictures),
        "decoder": lambda: decoder(levels, pictures),
        "saliency": lambda: model.saliency([image]),
        f"inversion, {inversion_steps} steps": lambda: slow.saliency([image]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", help="a decoder that reads one timestep, such as mini; instead of --model")
    parser.add_argument("--model", default="mini")
    parser.add_argument("--timestep", type=int, default=50)
    parser.add_argument("--layers", help="Module paths separated by commas; default the outputs of all up blocks.")
    parser.add_argument("--inversion-steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write all times there")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = load_segmenter(args.weights, device="cpu") if args.weights else on_model(args)
    if not isinstance(model, DiffusionSeg) or len(model.feature_config.timesteps) != 1:
        parser.error(f"--weights {args.weights}: a decoder that reads one timestep is needed")
    backbone = model.backbone
    with torch.no_grad():
        times = take_turns(parts(model, args.inversion_steps), args.rounds)
    call = times["one U-Net call"]
    if args.json:
        values = {name: [1000 * seconds for seconds in timing.seconds] for name, timing in times.items()}
        title = (
            f"Saliency of a photograph by {args.weights or args.model}, {args.threads} thread{'s' * (args.threads > 1)}"
        )
        write_tables(args.json, [Table(title, "ms", values, "one U-Net call", {"features": 1.10, "saliency": 1.10})])
    print(f"{args.weights or args.model}, {backbone.image_size} px, {args.threads} threads, medians of {args.rounds}\n")
    print("| part | ms (least to most) | times one U-Net call |\n|---|---|---|")
    for name, timing in times.items():
        print(f"| {name} | {timing.spread()} | {timing.times(call):.3f} |")


if __name__ == "__main__":
    main()
