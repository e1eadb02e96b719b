"""Which features, decoder and training give the best saliency on real photographs?

Every variant trains a decoder on the same synthetic pairs and segments the same photographs. Nothing is trained on the
photographs' masks; they only measure. Constants are to be chosen on the first half of the photographs, by name
("choose"), and believed on the second ("report").

    python benchmarks/decoder_ablation.py PAIRS --photos ECSSD --out ablation
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from diffusionseg.backbone import Backbone
from diffusionseg.data import find_pairs, read_image, read_shards
from diffusionseg.evaluation import SaliencyAccumulator
from diffusionseg.exploitation import DecoderConfig, DiffusionSeg, FeatureConfig, TrainConfig, train
from diffusionseg.prediction.predict import make_prediction
from diffusionseg.synthesis.gate import GateConfig, Quality, reject_reason

VARIANTS = {
    "default": {},
    "timestep 50": {"features": {"timesteps": (50,)}},
    "timestep 200": {"features": {"timesteps": (200,)}},
    "timesteps 50, 200, 400": {"features": {"timesteps": (50, 200, 400)}},
    "inversion": {"features": {"mode": "inversion"}},
    "inversion, 40 steps": {"features": {"mode": "inversion", "steps": 40}},
    "inversion, timestep 50": {"features": {"mode": "inversion", "timesteps": (50,), "steps": 5}},
    "timestep 50, without the last block": {"features": {"timesteps": (50,), "layers": ("up_blocks.0", "up_blocks.1")}},
    "timestep 50, first block instead of the last": {
        "features": {"timesteps": (50,), "layers": ("down_blocks.0.attentions.0", "up_blocks.0", "up_blocks.1")}
    },
    "timestep 50, first block instead of the last, twice the size": {
        "features": {
            "timesteps": (50,),
            "layers": ("down_blocks.0.attentions.0", "up_blocks.0", "up_blocks.1"),
            "scale": 2,
        }
    },
    "inversion, timestep 50, first block instead of the last": {
        "features": {
            "mode": "inversion",
            "timesteps": (50,),
            "steps": 5,
            "layers": ("down_blocks.0.attentions.0", "up_blocks.0", "up_blocks.1"),
        }
    },
    "twice the size": {"features": {"scale": 2}},
    "no paste": {"augment": {"paste": 0.0}},
    "no augmentation": {"train": {"views": 1}, "augment": {"paste": 0.0, "scale": (1.0, 1.0), "aspect": 1.0}},
    "more dropout": {"decoder": {"dropout": 0.3}},
    "with the picture": {"decoder": {"use_image": True}},
    "narrow": {"decoder": {"width": 32}},
    "a third of the steps": {"train": {"steps": 333}},
    "half of the pairs": {"share": 0.5},
    "a quarter of the pairs": {"share": 0.25},
    "an eighth of the pairs": {"share": 0.125},
    "border up to 0.1": {"gate": {"max_border": 0.1}},
    "agreement from 0.7": {"gate": {"min_agreement": 0.7}},
}
"""Changes against the defaults by group."""
LOOSEST = {"min_area": 0, "max_area": 1, "max_border": 1, "max_ignore": 1, "min_agreement": 0}
"""The gate of pairs that are all taken."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, nargs="+", help="folders written by `diffusionseg synth`")
    parser.add_argument("--photos", type=Path, required=True, help="data set with photographs and masks")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--views", type=int, default=8, help="augmented views of each pair; fewer is quicker")
    parser.add_argument("--every", type=int, default=1, help="take every so many photographs")
    parser.add_argument("--only", help="variants, separated by semicolons")
    args = parser.parse_args()
    backbone = Backbone.from_pretrained(args.model)
    samples = [s for folder in args.pairs for s in read_shards(folder)]
    pairs = [(s.image_array(), s.mask_array()) for s in samples]
    qualities = [Quality(**s.meta["quality"]) for s in samples]
    names = [name.strip() for name in args.only.split(";")] if args.only else list(VARIANTS)
    photos = find_pairs(args.photos)[:: args.every]
    print(f"{len(pairs)} pairs, {len(photos)} photographs, generator {backbone.fingerprint[:16]}")
    rows = [baseline(photos)]
    for name in names:
        started = time.perf_counter()
        kept = [pair for pair, quality in zip(pairs, qualities, strict=True) if passes(quality, VARIANTS[name])]
        model = fit(backbone, kept, VARIANTS[name], args.out / name.replace(" ", "-").replace(",", ""), args)
        trained = time.perf_counter() - started
        rows += judge(name, model, photos)
        for entry in rows[-3:]:
            entry["training s"] = round(trained)
        print(table(rows), flush=True)
        (args.out / "ablation.json").write_text(json.dumps(rows, indent=1))
        (args.out / "ablation.md").write_text(table(rows))


def passes(quality: Quality, changes: dict) -> bool:
    """Whether a pair would pass a stricter gate than the one it was made with."""
    return reject_reason(quality, replace(GateConfig(**LOOSEST), **changes.get("gate", {}))) is None


def fit(backbone: Backbone, pairs: list, changes: dict, out: Path, args: argparse.Namespace) -> DiffusionSeg:
    """Train one variant."""
    features = dict(changes.get("features", {}))
    if scale := features.pop("scale", None):
        features["image_size"] = scale * backbone.image_size
    config = TrainConfig(steps=args.steps, views=args.views)
    config = replace(config, augment=replace(config.augment, **changes.get("augment", {})))
    config = replace(config, **changes.get("train", {}))
    kept = max(1, round(len(pairs) * changes.get("share", 1)))
    return train(
        backbone,
        pairs[:kept],
        out,
        feature_config=FeatureConfig(**features),
        decoder_config=DecoderConfig(**changes.get("decoder", {})),
        train_config=config,
        overwrite=True,
        report=lambda *_: None,
    )


def judge(name: str, model: DiffusionSeg, photos: list) -> list[dict]:
    """Measures of one variant with and without refinement."""
    totals: dict[str, list[SaliencyAccumulator]] = {}
    half = (len(photos) + 1) // 2
    for place, photo in enumerate(photos):
        image = np.asarray(read_image(photo.image))
        truth = np.asarray(Image.open(photo.mask).convert("L")) > 0
        coarse = model.saliency([image])[0]
        for refinement in ("none", "guided", "cut"):
            found = make_prediction(coarse, image, replace(model.predict_config, refine=refinement))
            parts = totals.setdefault(refinement, [SaliencyAccumulator(), SaliencyAccumulator()])
            parts[place >= half].update(np.clip(found.saliency, 0, 1), truth)
    return [row(f"{name}, {refinement}", *parts) for refinement, parts in totals.items()]


def baseline(photos: list) -> dict:
    """A centred ellipse over 70 % of both sides."""
    parts = [SaliencyAccumulator(), SaliencyAccumulator()]
    half = (len(photos) + 1) // 2
    for place, photo in enumerate(photos):
        truth = np.asarray(Image.open(photo.mask).convert("L")) > 0
        y, x = (np.linspace(-1, 1, n) / 0.7 for n in truth.shape)
        parts[place >= half].update((y[:, None] ** 2 + x[None] ** 2 < 1).astype(np.float32), truth)
    return row("centred ellipse", *parts)


def row(name: str, choose: SaliencyAccumulator, report: SaliencyAccumulator) -> dict:
    """IoU, accuracy and maxFβ (TokenCut's definitions) on both halves."""
    values = {"variant": name}
    for half, total in (("choose", choose), ("report", report)):
        result = total.result()
        values |= {f"{half} {key}": round(float(result[key]), 4) for key in ("iou", "acc", "max_f")}
    return values | {"training s": 0}


def table(rows: list[dict]) -> str:
    """Markdown."""
    keys = list(rows[0])
    lines = ["| " + " | ".join(keys) + " |", "|" + "---|" * len(keys)]
    lines += ["| " + " | ".join(str(v) for v in r.values()) + " |" for r in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
