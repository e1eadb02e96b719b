"""How much does each refinement add to a decoder's saliency, and what do the colour cut's constants do?

Every row refines the same coarse saliency of the same photographs. Masks and boxes only measure. Constants are to be
chosen on the first half of the photographs with masks, by name, and on every second one with boxes ("choose"), and
believed on the others ("report").

    python benchmarks/refinement_ablation.py --weights mini --photos ECSSD --boxes-dir VOC2007 --out ablation
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from diffusionseg.data import find_pairs, read_boxes, read_image
from diffusionseg.evaluation import CorLocAccumulator, SaliencyAccumulator
from diffusionseg.prediction import PredictConfig, decide, refined
from diffusionseg.segmenters import load_segmenter

CUT = {
    "cut": {},
    "cut, prior 0: without the decoder": {"prior": 0.0},
    "cut, prior 0.15": {"prior": 0.15},
    "cut, prior 0.2": {"prior": 0.2},
    "cut, prior 0.25": {"prior": 0.25},
    "cut, prior 0.3": {"prior": 0.3},
    "cut, prior 0.4": {"prior": 0.4},
    "cut, prior 0.5": {"prior": 0.5},
    "cut, prior 0.7": {"prior": 0.7},
    "cut, prior 1": {"prior": 1.0},
    "cut, colour 0": {"colour": 0.0},
    "cut, colour 0.5": {"colour": 0.5},
    "cut, smoothness 4": {"smoothness": 4.0},
    "cut, smoothness 16": {"smoothness": 16.0},
    "cut, margin 0": {"margin": 0.0},
    "cut, margin 0.15": {"margin": 0.15},
    "cut, border 1": {"border": 1.0},
    "cut, border 6": {"border": 6.0},
    "cut, 3 clusters": {"clusters": 3},
    "cut, 8 clusters": {"clusters": 8},
    "cut, begun in 1 round": {"iterations": 1},
    "cut, begun in 3 rounds": {"iterations": 3},
    "cut, begun at 48 pixels": {"coarse": 48},
    "cut, begun at 80 pixels": {"coarse": 80},
    "cut, begun at 128 pixels": {"coarse": 128},
    "cut, finished in 2 rounds": {"finish": 2},
    "cut, finished at 96 pixels": {"side": 96},
    "cut, no finer edge": {"fine": 128},
    "cut, no finer edge, finished in 2 rounds": {"fine": 128, "finish": 2},
    "cut, no finer edge, finished at 192 pixels": {"side": 192, "fine": 192},
    "cut, edge at 192 pixels": {"fine": 192},
    "cut, edge at 384 pixels": {"fine": 384},
    "cut, edge within 1 pixel": {"band": 1},
    "cut, edge within 6 pixels": {"band": 6},
    "cut, edge of smoothness 2": {"fine_smoothness": 2.0},
    "cut, edge of smoothness 8": {"fine_smoothness": 8.0},
}
"""Changes against the decoder's own constants. Without the decoder, only what lies inside the frame decides."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="mini")
    parser.add_argument("--photos", type=Path, required=True, help="data set with photographs and masks")
    parser.add_argument("--boxes-dir", type=Path, help="folder with images/ and boxes.jsonl, for CorLoc")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="only every n-th photograph")
    parser.add_argument("--rows", default="", help="only rows whose name contains this", metavar="TEXT")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    model = load_segmenter(args.weights, device="cpu")
    methods = {name: config for name, config in refinements(model.predict_config).items() if args.rows in name}
    if not methods:
        parser.error(f"--rows: no row's name contains {args.rows!r}")
    totals = {name: [SaliencyAccumulator(), SaliencyAccumulator()] for name in methods}
    located = {name: [CorLocAccumulator(), CorLocAccumulator()] for name in methods}
    seconds = dict.fromkeys(methods, 0.0)
    photos = find_pairs(args.photos)[:: args.every]
    boxed = read_boxes(args.boxes_dir / "boxes.jsonl")[:: args.every] if args.boxes_dir else []
    half = (len(photos) + 1) // 2
    for place, photo in enumerate(photos):
        image = np.asarray(read_image(photo.image))
        truth = np.asarray(Image.open(photo.mask).convert("L")) > 0
        coarse = coarse_saliency(model, image)
        for name, config in methods.items():
            started = time.perf_counter()
            saliency = refined(coarse, image, config)
            seconds[name] += time.perf_counter() - started
            totals[name][place >= half].update(saliency, truth)
        print(f"\r{place + 1}/{len(photos)}", end="", flush=True)
    for place, item in enumerate(boxed):
        image = np.asarray(read_image(args.boxes_dir / "images" / item.image))
        coarse = coarse_saliency(model, image)
        for name, config in methods.items():
            boxes = decide(refined(coarse, image, config), config).boxes
            located[name][place % 2].update(boxes[0] if boxes else None, [thing.box for thing in item.objects])
        print(f"\r{place + 1}/{len(boxed)}", end="", flush=True)
    rows = []
    for name in methods:
        values = row(name, *totals[name])
        if boxed:
            for part, total in zip(("choose", "report"), located[name], strict=True):
                values[f"{part} CorLoc"] = round(float(total.result()["corloc"]), 4)
        rows.append(values | {"ms": round(seconds[name] / len(photos) * 1000)})
    print("\n" + table(rows))
    (args.out / "refinement.json").write_text(json.dumps(rows, indent=1))
    (args.out / "refinement.md").write_text(table(rows))


def refinements(own: PredictConfig) -> dict[str, PredictConfig]:
    """What is compared, by name."""
    plain = {name: replace(own, refine=name) for name in ("none", "guided", "bilateral")}
    return plain | {name: replace(own, refine="cut", cut=replace(own.cut, **changes)) for name, changes in CUT.items()}


def coarse_saliency(model, image: np.ndarray) -> np.ndarray:
    """Of an image (H, W, 3), averaged over the views that the weights ask for."""
    config = model.predict_config
    return model.saliency([image], config.flip, config.margins)[0]


def row(name: str, choose: SaliencyAccumulator, report: SaliencyAccumulator) -> dict:
    """IoU, accuracy and maxFβ (TokenCut's definitions) on both halves."""
    values = {"refinement": name}
    for half, total in (("choose", choose), ("report", report)):
        result = total.result()
        values |= {f"{half} {key}": round(float(result[key]), 4) for key in ("iou", "acc", "max_f")}
    return values


def table(rows: list[dict]) -> str:
    """Markdown."""
    keys = list(rows[0])
    lines = ["| " + " | ".join(keys) + " |", "|" + "---|" * len(keys)]
    lines += ["| " + " | ".join(str(v) for v in r.values()) + " |" for r in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
