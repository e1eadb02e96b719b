"""Which attention layers and constants of AttentionCut find the named object in real photographs?

Each photograph is noised, its own class is the prompt, attention is averaged over timesteps and fixed noises, cut, and
the box of the largest part is compared with the annotated ones (CorLoc, IoU at least 0.5). Constants are to be chosen
on every second photograph ("choose") and believed on the others ("report").

    python benchmarks/attention_ablation.py --boxes-dir VOC2007 --prompts aeroplane=airplane,bird --out ablation
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from annotated import PROMPTS_HELP, annotated_photos, located, table

from diffusionseg import mini
from diffusionseg.attentioncut import AttentionCutConfig, attention_cut
from diffusionseg.backbone import Backbone
from diffusionseg.data import read_image
from diffusionseg.masks import mask_boxes
from diffusionseg.pretraining.judge import centre_box
from diffusionseg.pretraining.photo_attention import photo_attention
from diffusionseg.synthesis import SynthesisConfig

SYNTHESIS = SynthesisConfig()
"""Its readings of finished images are those of photographs here."""
MIN_TOKENS = 16
"""Layers from 4×4 positions on are compared."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boxes-dir", type=Path, required=True, help="folder with images/ and boxes.jsonl")
    parser.add_argument("--prompts", help=PROMPTS_HELP)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="mini")
    parser.add_argument(
        "--timesteps", help="separated by commas; default those at which synthesis reads its images again"
    )
    parser.add_argument("--noises", type=int, default=SYNTHESIS.reread_noises)
    parser.add_argument("--limit", type=int, default=10_000)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    backbone = Backbone.from_pretrained(args.model)
    items = annotated_photos(args.boxes_dir, args.prompts, mini.class_names())[: args.limit]
    timesteps = tuple(map(int, args.timesteps.split(","))) if args.timesteps else SYNTHESIS.reread_timesteps
    examples = []
    for number, item in enumerate(items):
        image = np.asarray(read_image(item.path))
        examples.append(
            (image, photo_attention(backbone, image, item.prompt, timesteps, args.noises, min_tokens=MIN_TOKENS))
        )
        print(f"\r{number + 1}/{len(items)}", end="", flush=True)
    rows = []
    for name, boxes in variants(examples):
        rows.append(located(name, items, boxes))
        print(rows[-1], flush=True)
    print("\n" + table(rows))
    (args.out / "ablation.json").write_text(json.dumps(rows, indent=1))
    (args.out / "ablation.md").write_text(table(rows))


def cut_box(example, cross_sizes, self_sizes, config):
    """Box of the largest part of the cut, or None."""
    image, maps = example
    cross = [m[0].numpy() for k, m in maps.cross.items() if maps.grids[k][0] in cross_sizes]
    names = [k for k in maps.self_ if maps.grids[k][0] in self_sizes]
    affinities = [maps.self_[k][0].numpy() for k in names]
    result = attention_cut(cross, affinities, [maps.grids[k] for k in names], image, config)
    boxes, _ = mask_boxes(result.pseudo_mask == 255)
    return boxes[0] if boxes else None


def variants(examples):
    """(name, boxes) of every variant."""
    base = AttentionCutConfig(refine="guided")
    for name, share in (("whole frame", 1.0), ("centre box 0.5", 0.5), ("centre box 0.7", 0.7)):
        yield name, [centre_box(image.shape[1], image.shape[0], share) for image, _ in examples]
    sizes = sorted({grid[0] for grid in examples[0][1].grids.values()}, reverse=True)
    finest, two = sizes[:1], sizes[:2]
    for cross in ([s] for s in sizes):
        yield f"cross {cross}, self {finest}", [cut_box(e, cross, finest, base) for e in examples]
    yield f"cross {two}, self {finest}", [cut_box(e, two, finest, base) for e in examples]
    yield f"cross {two}, self {two}", [cut_box(e, two, two, base) for e in examples]
    settings = [{"propagate": k} for k in (1, 2, 4)]
    settings += [{"smoothness": v} for v in (0.0, 0.5, 1.0, 1.4, 4.0, 8.0)]
    settings += [{"sigma": v} for v in (1.0, 1.5, 4.0, 1e6)]
    settings += [{"temperature": v} for v in (0.06, 0.25)]
    settings += [{"swap_rim": v} for v in (0.5, 0.65, 1.0)]
    settings += [{"propagate": 1, "smoothness": v} for v in (0.0, 1.0)]
    settings += [{"smoothness": 1.0, "sigma": 1.5}, {"smoothness": 1.0, "temperature": 0.06}]
    for change in settings:
        text = ", ".join(f"{k} {v}" for k, v in change.items())
        yield text, [cut_box(e, finest, finest, replace(base, **change)) for e in examples]


if __name__ == "__main__":
    main()
