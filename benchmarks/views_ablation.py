"""What is gained by averaging saliency over views: mirrored, and smaller amid the photograph's own mirror image?

Masks only measure. Views are to be chosen on the first half of the photographs, by name ("choose"), and believed on the
second ("report"). Times are of all views of a photograph on one core, without refinement.

    python benchmarks/views_ablation.py --weights student --photos ECSSD --out ablation
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from refinement_ablation import row, table

from diffusionseg.data import find_pairs, read_image
from diffusionseg.evaluation import SaliencyAccumulator
from diffusionseg.prediction import refined
from diffusionseg.segmenters import load_segmenter

VIEWS: dict[str, tuple[bool, tuple[float, ...]]] = {
    "the photograph alone": (False, (0.0,)),
    "and its mirror image": (True, (0.0,)),
    "margin 0.15 alone": (False, (0.15,)),
    "margins 0, 0.15": (False, (0.0, 0.15)),
    "margins 0, 0.08, and mirror images": (True, (0.0, 0.08)),
    "margins 0, 0.15, and mirror images": (True, (0.0, 0.15)),
    "margins 0, 0.3, and mirror images": (True, (0.0, 0.3)),
}
REFINEMENTS = ("guided", "cut")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="student")
    parser.add_argument("--photos", type=Path, required=True, help="data set with photographs and masks")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="only every n-th photograph")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    model = load_segmenter(args.weights, device="cpu")
    photos = find_pairs(args.photos)[:: args.every]
    half = (len(photos) + 1) // 2
    totals = {(v, r): [SaliencyAccumulator(), SaliencyAccumulator()] for v in VIEWS for r in REFINEMENTS}
    seconds = dict.fromkeys(VIEWS, 0.0)
    for place, photo in enumerate(photos):
        image = np.asarray(read_image(photo.image))
        truth = np.asarray(Image.open(photo.mask).convert("L")) > 0
        for name, (flip, margins) in VIEWS.items():
            started = time.perf_counter()
            coarse = model.saliency([image], flip, margins)[0]
            seconds[name] += time.perf_counter() - started
            for refinement in REFINEMENTS:
                found = refined(coarse, image, replace(model.predict_config, refine=refinement))
                totals[name, refinement][place >= half].update(found, truth)
        print(f"\r{place + 1}/{len(photos)}", end="", flush=True)
    rows = [
        row(f"{view}; {refinement}", *parts) | {"ms": round(seconds[view] / len(photos) * 1000)}
        for (view, refinement), parts in totals.items()
    ]
    print("\n" + table(rows))
    (args.out / "views.json").write_text(json.dumps(rows, indent=1))
    (args.out / "views.md").write_text(table(rows))


if __name__ == "__main__":
    main()
