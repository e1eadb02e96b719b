"""Which attention layers and constants of AttentionCut find the named object in real photographs?

Each photograph is noised, its own class is the prompt, attention is averaged over timesteps and fixed noises, cut, and
the box of the largest part is compared with the annotated one (CorLoc, IoU at least 0.5). Constants are to be chosen on
the first half of the images ("choose") and believed on the second ("report").

    python benchmarks/attention_ablation.py --images DIR --boxes DIR/boxes.jsonl --out ablation
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from diffusionseg.attentioncut import AttentionCutConfig, attention_cut
from diffusionseg.backbone import Backbone
from diffusionseg.data import read_image
from diffusionseg.evaluation import box_iou
from diffusionseg.masks import mask_boxes
from diffusionseg.pretraining import JudgeConfig
from diffusionseg.pretraining.judge import centre_box
from diffusionseg.pretraining.photo_attention import photo_attention

SHARE = JudgeConfig().share
"""Images whose box covers this share are also reported apart: elsewhere the whole frame is a good guess."""
MIN_TOKENS = 16
"""Layers from 4×4 positions on are compared."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--boxes", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--classes", type=Path, help="only classes named in this file, one a line")
    parser.add_argument("--timesteps", default="350,550,750")
    parser.add_argument("--noises", type=int, default=4)
    parser.add_argument("--limit", type=int, default=10_000)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    backbone = Backbone.from_pretrained(args.model)
    known = set(args.classes.read_text().splitlines()) if args.classes else None
    items = [json.loads(line) for line in args.boxes.read_text().splitlines()]
    items = [i for i in items if known is None or i["objects"][0]["name"] in known][: args.limit]
    timesteps = [int(t) for t in args.timesteps.split(",")]
    examples = []
    for number, item in enumerate(items):
        image = np.asarray(read_image(args.images / item["image"]))
        name = item["objects"][0]["name"]
        maps = photo_attention(backbone, image, name, timesteps, args.noises, min_tokens=MIN_TOKENS)
        examples.append((image, item["objects"][0]["box"], maps))
        print(f"\r{number + 1}/{len(items)}", end="", flush=True)
    rows = [row(name, examples, boxes) for name, boxes in variants(examples)]
    print("\n" + table(rows))
    (args.out / "ablation.json").write_text(json.dumps(rows, indent=1))
    (args.out / "ablation.md").write_text(table(rows))


def cut_box(example, cross_sizes, self_sizes, config):
    """Box of the largest part of the cut, or None."""
    image, _, maps = example
    cross = [m[0].numpy() for k, m in maps.cross.items() if maps.grids[k][0] in cross_sizes]
    names = [k for k in maps.self_ if maps.grids[k][0] in self_sizes]
    affinities = [maps.self_[k][0].numpy() for k in names]
    result = attention_cut(cross, affinities, [maps.grids[k] for k in names], image, config)
    boxes, _ = mask_boxes(result.pseudo_mask == 255)
    return boxes[0] if boxes else None


def variants(examples):
    """(name, boxes) of every variant."""
    base = AttentionCutConfig()
    for name, share in (("whole frame", 1.0), ("centre box 0.5", 0.5), ("centre box 0.7", 0.7)):
        yield name, [centre_box(image.shape[1], image.shape[0], share) for image, _, _ in examples]
    sizes = sorted({grid[0] for grid in examples[0][2].grids.values()}, reverse=True)
    finest, two = sizes[:1], sizes[:2]
    for cross in ([s] for s in sizes):
        yield f"cross {cross}, self {finest}", [cut_box(e, cross, finest, base) for e in examples]
    yield f"cross {two}, self {finest}", [cut_box(e, two, finest, base) for e in examples]
    yield f"cross {two}, self {two}", [cut_box(e, two, two, base) for e in examples]
    settings = [{"propagate": k} for k in (1, 2, 4)]
    settings += [{"smoothness": v} for v in (0.0, 1.0, 5.0)]
    settings += [{"sigma": v} for v in (1.5, 4.0, 8.0)]
    settings += [{"temperature": v} for v in (0.06, 0.25)]
    settings += [{"propagate": 1, "smoothness": 5.0}, {"propagate": 2, "smoothness": 1.0}]
    for change in settings:
        text = ", ".join(f"{k} {v}" for k, v in change.items())
        yield f"cross {two}, {text}", [cut_box(e, two, finest, replace(base, **change)) for e in examples]


def row(name, examples, boxes):
    """CorLoc of one variant on both halves, on all images and on those of middling box size."""
    hits, middling = [], []
    for (image, truth, _), box in zip(examples, boxes, strict=True):
        hits.append(box is not None and box_iou(box, truth) >= 0.5)
        share = (truth[2] - truth[0]) * (truth[3] - truth[1]) / (image.shape[0] * image.shape[1])
        middling.append(SHARE[0] <= share <= SHARE[1])
    hits, middling = np.array(hits), np.array(middling)
    first = np.arange(len(hits)) % 2 == 0
    return {
        "variant": name,
        "choose all": float(hits[first].mean()),
        "choose 5-60": float(hits[first & middling].mean()),
        "report all": float(hits[~first].mean()),
        "report 5-60": float(hits[~first & middling].mean()),
        "images": len(hits),
    }


def table(rows):
    """Markdown."""
    keys = list(rows[0])
    lines = ["| " + " | ".join(keys) + " |", "|" + "---|" * len(keys)]
    for r in rows:
        lines.append("| " + " | ".join(f"{v:.3f}" if isinstance(v, float) else str(v) for v in r.values()) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
