"""What does each ingredient of AttentionCut earn?

Every row cuts the same images with the same attention, from a plain threshold to the whole of AttentionCut. It is
measured twice: by CorLoc of the cut itself on annotated photographs, whose own class is the prompt, and by the saliency
that decoders, trained on synthetic pairs whose pseudo-masks were cut that way, find in other photographs. The quality
gate is the same for every row ("passed" counts), and decoders are trained on the same number of pairs ("used"), as many
as the poorest row has; with `--pairs` on at most so many, of which a row may have fewer. Each seed draws its pairs of
those that passed and trains its own decoder; means and standard deviations over seeds are given. Where a row uses all
it has, they vary by training alone.

Masks and boxes of humans only measure. Constants are to be chosen on one half of the photographs ("choose") and
believed on the other ("report"). An interrupted run goes on where it was.

    python benchmarks/ingredients_ablation.py --photos ECSSD --boxes-dir VOC2007 --prompts aeroplane=airplane,bird \
        --seeds 3 --out ingredients
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from annotated import PROMPTS_HELP, SHARE, Annotated, annotated_photos, located, table
from decoder_ablation import baseline
from decoder_ablation import row as saliency_row
from PIL import Image

from diffusionseg import mini
from diffusionseg.attentioncut import (
    AttentionCutConfig,
    AttentionCutResult,
    ColourCutConfig,
    aggregate_cross,
    aggregate_self,
    attention_cut,
)
from diffusionseg.attentioncut.aggregate import finest_grid
from diffusionseg.backbone import AttentionMaps, Backbone
from diffusionseg.backbone.threads import available_cores, side_by_side
from diffusionseg.data import atomic_write, find_pairs, json_bytes, read_image, read_json_object
from diffusionseg.evaluation import SaliencyAccumulator
from diffusionseg.exploitation import DiffusionSeg, FeatureConfig, TrainConfig, train
from diffusionseg.exploitation.identity import describe_pairs
from diffusionseg.masks import mask_boxes, refine
from diffusionseg.prediction.settings import differing, to_json
from diffusionseg.pretraining.judge import centre_box
from diffusionseg.pretraining.photo_attention import photo_attention
from diffusionseg.synthesis import SynthesisConfig
from diffusionseg.synthesis.gate import measure, reject_reason
from diffusionseg.synthesis.prompts import assign_class, class_names
from diffusionseg.synthesis.sampling import check_request, draft, draw_group

GRID = {"refine": "guided"}
"""The cut on the attention grid as it is, brought to pixels by the guided filter alone."""
VARIANTS = {
    "cross-attention alone, Otsu's threshold": GRID | {"smoothness": 0.0, "swap_rim": 1.0},
    "+ sides swapped where it covers the rim": GRID | {"smoothness": 0.0},
    "+ spread once along self-attention": GRID | {"smoothness": 0.0, "propagate": 1},
    "+ min-cut along self-attention, at any distance": GRID | {"sigma": 1e6},
    "+ edges that fade with distance": GRID,
    "+ cut once more along colours and edges (AttentionCut, default)": {},
    "AttentionCut, sides never swapped": {"swap_rim": 1.0},
    "AttentionCut, cross-attention spread once before": {"propagate": 1},
    "AttentionCut, no cut on the grid": {"smoothness": 0.0},
    "AttentionCut, no cut on the grid, cross-attention spread once before": {"smoothness": 0.0, "propagate": 1},
    "AttentionCut, attention counts as much as colours": {"colour": ColourCutConfig(prior=1.0)},
    "colours and edges alone, where AttentionCut finds anything": {"colour": ColourCutConfig(prior=0.0)},
}
"""Changes against AttentionCut's defaults. At smoothness 0 the least cut is the unary term's threshold, Otsu's."""
REFERENCE = "a centred ellipse over 70 % of both sides"
"""What a guess gets."""
SYNTHESIS = SynthesisConfig()
"""How images are drawn and which pairs are good; annotated photographs are read as synthesis reads finished images."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="data set with photographs and masks")
    parser.add_argument("--boxes-dir", type=Path, required=True, help="folder with images/ and boxes.jsonl")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--classes", type=Path, help="names that the generator knows, one a line; default mini's")
    parser.add_argument("--places", type=int, default=400, help="images to synthesise, before the quality gate")
    parser.add_argument("--seed", type=int, default=0, help="of the synthetic images")
    parser.add_argument("--seeds", type=int, default=1, help="decoders for each row, trained from seeds 0, 1, …")
    parser.add_argument("--pairs", type=int, help="most pairs for a decoder; default as many as the poorest row has")
    parser.add_argument("--steps", type=int, default=600, help="training steps of each decoder")
    parser.add_argument("--timesteps", default="50", help="that the decoders read, separated by commas")
    parser.add_argument("--layers", help="that the decoders read, separated by commas; default all up blocks")
    parser.add_argument("--prompts", help=PROMPTS_HELP)
    parser.add_argument("--limit", type=int, help="only the first photographs of either set")
    args = parser.parse_args()
    backbone = Backbone.from_pretrained(args.model)
    names = class_names(args.classes.read_text().splitlines()) if args.classes else mini.class_names()
    photos = find_pairs(args.photos)[: args.limit]
    annotated = annotated_photos(args.boxes_dir, args.prompts, names)[: args.limit]

    read = read_annotated(backbone, annotated, args.out / "annotated")
    drawn = draw(backbone, names, args.places, args.seed, SYNTHESIS, args.out / "drawn")
    passed = {name: good_pairs(drawn, changes) for name, changes in VARIANTS.items()}
    # A row without any pair gets no decoder.
    count = args.pairs or min(filter(None, map(len, passed.values())), default=0)
    centres = [centre_box(*item.size, 0.7) for item in annotated]
    guess = located(REFERENCE, annotated, centres)
    rows = [guess | {"passed": "", "used": ""} | scores(baseline(photos))]
    for name, pairs in passed.items():
        boxes = [largest_box(cut(path, VARIANTS[name])) for path in read]
        rows.append(located(name, annotated, boxes) | {"passed": len(pairs), "used": len(pairs[:count])})
    timesteps = tuple(map(int, args.timesteps.split(",")))
    features = FeatureConfig(timesteps=timesteps, layers=tuple(args.layers.split(",")) if args.layers else None)
    facts = {
        "generator": backbone.fingerprint,
        "annotated photographs": len(annotated),
        f"of them with an object of {SHARE[0]:.0%} to {SHARE[1]:.0%}": sum(item.middling for item in annotated),
        "photographs with masks": len(photos),
        "synthetic images": args.places,
        "timesteps read": args.timesteps,
        "layers read": args.layers or "all up blocks",
        "training steps": args.steps,
        "seeds": args.seeds,
    }
    write(args.out, facts, rows)
    judge_decoders(backbone, passed, rows[1:], count, features, photos, args, lambda: write(args.out, facts, rows))


def judge_decoders(
    backbone: Backbone,
    passed: dict[str, list],
    rows: list[dict[str, Any]],
    count: int,
    features: FeatureConfig,
    photos: list,
    args: argparse.Namespace,
    keep: Callable[[], None],
) -> None:
    """Add to each row what decoders find that are trained on `count` of its pairs, one for each of `args.seeds`.

    `keep` is called after each of them. A row without any pair gets none.
    """
    found: dict[str, list[dict[str, float]]] = {}
    for seed in range(args.seeds):
        config = TrainConfig(steps=args.steps, views=2, seed=seed)
        for row, (name, pairs) in zip(rows, passed.items(), strict=True):
            if pairs:
                order = np.random.default_rng(seed).permutation(len(pairs))[:count]
                folder = args.out / "decoders" / f"{slug(name)}-{count}-{seed}"
                some = found.setdefault(name, [])
                some.append(judged(backbone, [pairs[i] for i in order], features, config, photos, folder))
                row |= {key: mean_and_deviation([one[key] for one in some]) for key in some[0]}
                keep()


def on_all_cores(
    backbone: Backbone, what: str, work: Callable[[Backbone, Any], Any], items: Sequence[Any]
) -> Iterator[Any]:
    """`work(replica, item)` of every item, in order; on a CPU on one core each and side by side, as in synthesis."""
    on_cpu = backbone.device.type == "cpu"
    workers = available_cores() if on_cpu else 1
    replicas: SimpleQueue[Backbone] = SimpleQueue()
    for _ in range(workers):
        replicas.put(backbone.replica())

    def one(item: Any) -> Any:
        replica = replicas.get()
        try:
            return work(replica, item)
        finally:
            replicas.put(replica)

    with side_by_side(workers, one_core_each=on_cpu) as pool:
        for number, result in enumerate(pool.map(one, items), 1):
            print(f"\r{what} {number}/{len(items)}", end="\n" if number == len(items) else "", flush=True)
            yield result


def read_annotated(backbone: Backbone, items: Sequence[Annotated], folder: Path) -> list[Path]:
    """Files with each annotated photograph and its attention to its own class."""
    timesteps, noises = SYNTHESIS.reread_timesteps, SYNTHESIS.reread_noises
    claim(folder, {"generator": backbone.fingerprint, "timesteps": timesteps, "noises": noises})
    names = [hashlib.sha256(f"{item.path.resolve()} {item.prompt}".encode()).hexdigest()[:16] for item in items]
    files = {folder / f"{name}.npz": item for name, item in zip(names, items, strict=True)}

    def work(replica: Backbone, path: Path) -> None:
        image = np.asarray(read_image(files[path].path))
        save(path, image, photo_attention(replica, image, files[path].prompt, timesteps, noises))

    list(on_all_cores(backbone, "photographs read", work, [path for path in files if not path.exists()]))
    return list(files)


def draw(
    backbone: Backbone, names: Sequence[str], places: int, seed: int, config: SynthesisConfig, folder: Path
) -> list[Path]:
    """Files with the first image of each place of a synthetic set and the attention it was drawn with."""
    check_request(backbone, names, config)
    made_with = {key: value for key, value in to_json(config).items() if key not in ("cut", "gate", "attempts")}
    claim(folder, {"generator": backbone.fingerprint, "classes": names, "seed": seed, "config": made_with})
    files = {folder / f"{index:06d}.npz": index for index in range(places)}

    def work(replica: Backbone, path: Path) -> None:
        one = draft(seed, files[path], 0, assign_class(files[path], names))
        _, images, maps = draw_group(replica, [one], config)
        save(path, images[0], maps)

    list(on_all_cores(backbone, "images drawn", work, [path for path in files if not path.exists()]))
    return list(files)


def claim(folder: Path, made_with: dict[str, Any]) -> None:
    """Say in a folder what its files are made with; ends the program where they were made with something else."""
    made_with = json.loads(json_bytes(made_with))
    record = folder / "made_with.json"
    if record.exists() and (names := differing(read_json_object(record), made_with)):
        raise SystemExit(f"{folder}: made with other settings ({', '.join(names)} differ); use another --out")
    atomic_write(record, json_bytes(made_with))


def save(path: Path, image: np.ndarray, maps: AttentionMaps) -> None:
    """Keep an image and the means over layers of its attention, with which every cut begins."""
    grid = finest_grid(list(maps.grids.values()))
    cross, affinity = ([m[0].cpu().numpy() for m in kind.values()] for kind in (maps.cross, maps.self_))
    means = aggregate_cross(cross, grid), aggregate_self(affinity, [maps.grids[name] for name in maps.self_], grid)
    buffer = io.BytesIO()
    np.savez(buffer, image=image, cross=means[0].astype(np.float32), affinity=means[1].astype(np.float32))
    atomic_write(path, buffer.getvalue())


def load(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image (H, W, 3), cross-attention (h, w) and affinity (N, N) from `save`."""
    with np.load(path, allow_pickle=False) as file:
        return file["image"], file["cross"], file["affinity"]


def cut(path: Path, changes: dict) -> AttentionCutResult:
    """AttentionCut of a file from `save`."""
    image, cross, affinity = load(path)
    return attention_cut([cross], [affinity], [cross.shape], image, replace(AttentionCutConfig(), **changes))


def good_pairs(drawn: list[Path], changes: dict) -> list[tuple[np.ndarray, np.ndarray]]:
    """Images and pseudo-masks of one variant that the quality gate lets pass."""
    pairs = []
    for path in drawn:
        result = cut(path, changes)
        quality = measure(result.pseudo_mask, result.agreement, result.confidence)
        if reject_reason(quality, SYNTHESIS.gate) is None:
            pairs.append((load(path)[0], result.pseudo_mask))
    return pairs


def largest_box(result: AttentionCutResult) -> tuple[int, int, int, int] | None:
    """Box of the largest part of a cut."""
    boxes, _ = mask_boxes(result.pseudo_mask == 255)
    return boxes[0] if boxes else None


def judged(
    backbone: Backbone, pairs: list, features: FeatureConfig, config: TrainConfig, photos: list, folder: Path
) -> dict[str, float]:
    """Train a decoder on one variant's pairs and measure it on photographs; a finished one is not made again."""
    settings = {"features": to_json(features), "training": to_json(config)}
    claim(folder, {"generator": backbone.fingerprint, "pairs": describe_pairs(pairs), **settings})
    record, judges = folder / "scores.json", [str(photo.image.resolve()) for photo in photos]
    before = read_json_object(record) if record.exists() else {}
    if before.get("photographs") == judges:
        return before["scores"]
    model = train(backbone, pairs, folder, feature_config=features, train_config=config, report=progress)
    found = scores(measured(model, photos))
    atomic_write(record, json_bytes({"photographs": judges, "scores": found}))
    return found


def progress(done: int, steps: int, _: dict[str, float]) -> None:
    """Say how far the training is."""
    print(f"\rsteps trained {done}/{steps}", end="\n" if done == steps else "", flush=True)


def measured(model: DiffusionSeg, photos: list) -> dict[str, Any]:
    """IoU, accuracy and maxFβ of a decoder after the guided filter, on the halves of `decoder_ablation`."""

    def work(replica: Backbone, photo: Any) -> tuple[np.ndarray, np.ndarray]:
        image = np.asarray(read_image(photo.image))
        coarse = DiffusionSeg(replica, model.decoder, model.feature_config).saliency([image])[0]
        return refine(coarse, image, "guided"), np.asarray(Image.open(photo.mask).convert("L")) > 0

    parts = [SaliencyAccumulator(), SaliencyAccumulator()]
    half = (len(photos) + 1) // 2
    for place, (saliency, truth) in enumerate(on_all_cores(model.backbone, "photographs judged", work, photos)):
        parts[place >= half].update(np.clip(saliency, 0, 1), truth)
    return saliency_row("", *parts)


def scores(row: dict[str, Any]) -> dict[str, float]:
    """The measures in a row of `decoder_ablation`."""
    return {key: value for key, value in row.items() if key not in ("variant", "training s")}


def mean_and_deviation(values: Sequence[float]) -> str:
    """As a table has it; a single value without deviation."""
    mean = f"{statistics.mean(values):.3f}"
    return f"{mean} ± {statistics.stdev(values):.3f}" if len(values) > 1 else mean


def write(out: Path, facts: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Print the table and keep it; what is not there yet stays empty."""
    whole = [{key: row.get(key, "") for key in rows[0]} for row in rows]
    text = f"{table(whole)}\n{', '.join(f'{key}: {value}' for key, value in facts.items())}\n"
    print(f"\n{text}", flush=True)
    atomic_write(out / "ingredients.json", json_bytes({"made with": facts, "rows": whole}))
    atomic_write(out / "ingredients.md", text.encode())


def slug(name: str) -> str:
    """A name as a file's."""
    return re.sub(r"\W+", "-", name).strip("-").lower()


if __name__ == "__main__":
    main()
