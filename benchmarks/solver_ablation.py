"""Which solver, and how many steps, for how good masks?

Every row draws the same places of a synthetic set with its own solver and steps, and cuts them with AttentionCut's
defaults. "seconds" is the processor time of one image with its attention, one core, median; the rows' images are drawn
in turn. "passed" is how many images the quality gate lets pass. Decoders are trained on equally many pairs, as many as
the poorest row has, once for each seed, and judged by the saliency that they find in photographs; with `--pairs` on at
most so many, of which a row may have fewer. Masks of humans only measure.

    python benchmarks/solver_ablation.py --photos ECSSD --seeds 3 --out solvers
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from pathlib import Path

from annotated import table
from ingredients_ablation import SYNTHESIS, claim, good_pairs, judge_decoders, on_all_cores, save, slug

from diffusionseg import mini
from diffusionseg.backbone import Backbone
from diffusionseg.bench.generator_steps import unet_rows
from diffusionseg.data import atomic_write, find_pairs, json_bytes, read_json_object
from diffusionseg.exploitation import FeatureConfig
from diffusionseg.prediction.settings import to_json
from diffusionseg.synthesis import SynthesisConfig
from diffusionseg.synthesis.prompts import assign_class, class_names
from diffusionseg.synthesis.sampling import check_request, draft, draw_group

ROWS = ("ddim 24", "ddim 12", "ddim 8", "dpm++ 16", "dpm++ 12", "dpm++ 8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="data set with photographs and masks")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--classes", type=Path, help="names that the generator knows, one a line; default mini's")
    parser.add_argument("--rows", default=",".join(ROWS), help="solvers with their steps, separated by commas")
    parser.add_argument("--places", type=int, default=400, help="images to synthesise, before the quality gate")
    parser.add_argument("--seed", type=int, default=0, help="of the synthetic images")
    parser.add_argument("--seeds", type=int, default=1, help="decoders for each row, trained from seeds 0, 1, …")
    parser.add_argument("--pairs", type=int, help="most pairs for a decoder; default as many as the poorest row has")
    parser.add_argument("--steps", type=int, default=400, help="training steps of each decoder")
    parser.add_argument("--timesteps", default="50", help="that the decoders read, separated by commas")
    parser.add_argument("--layers", help="that the decoders read, separated by commas; default all up blocks")
    parser.add_argument("--limit", type=int, help="only the first photographs")
    args = parser.parse_args()
    backbone = Backbone.from_pretrained(args.model)
    names = class_names(args.classes.read_text().splitlines()) if args.classes else mini.class_names()
    photos = find_pairs(args.photos)[: args.limit]
    configs = {name: as_config(name) for name in args.rows.split(",")}

    drawn = draw_in_turn(backbone, names, args.places, args.seed, configs, args.out)
    passed = {name: good_pairs(paths, {}) for name, paths in drawn.items()}
    # A row without any pair gets no decoder.
    count = args.pairs or min(filter(None, map(len, passed.values())), default=0)
    rows = []
    for name, pairs in passed.items():
        taken = [read_json_object(path.with_suffix(".json"))["seconds"] for path in drawn[name]]
        seconds = f"{statistics.median(taken):.2f}"
        good = {"passed": len(pairs), "used": len(pairs[:count])}
        rows.append({"solver and steps": name, "U-Net rows": unet_rows(configs[name]), "seconds": seconds} | good)
    timesteps = tuple(map(int, args.timesteps.split(",")))
    features = FeatureConfig(timesteps=timesteps, layers=tuple(args.layers.split(",")) if args.layers else None)
    facts = {
        "generator": backbone.fingerprint,
        "images": args.places,
        "photographs with masks": len(photos),
        "timesteps read": args.timesteps,
        "layers read": args.layers or "all up blocks",
        "training steps": args.steps,
        "seeds": args.seeds,
    }
    write(args.out, facts, rows)
    judge_decoders(backbone, passed, rows, count, features, photos, args, lambda: write(args.out, facts, rows))


def as_config(row: str) -> SynthesisConfig:
    """Settings of a row such as "dpm++ 12"."""
    solver, _, steps = row.strip().rpartition(" ")
    return replace(SYNTHESIS, solver=solver, steps=int(steps))


def draw_in_turn(
    backbone: Backbone,
    names: list[str],
    places: int,
    seed: int,
    configs: dict[str, SynthesisConfig],
    out: Path,
) -> dict[str, list[Path]]:
    """Files with the first image of each place, row by row, and beside each how long it took."""
    files: dict[str, list[Path]] = {}
    for name, config in configs.items():
        check_request(backbone, names, config)
        made_with = {key: value for key, value in to_json(config).items() if key not in ("cut", "gate", "attempts")}
        folder = out / "drawn" / slug(name)
        claim(folder, {"generator": backbone.fingerprint, "classes": names, "seed": seed, "config": made_with})
        files[name] = [folder / f"{index:06d}.npz" for index in range(places)]

    def work(replica: Backbone, item: tuple[int, str]) -> None:
        index, name = item
        begun = time.thread_time()
        _, images, maps = draw_group(replica, [draft(seed, index, 0, assign_class(index, names))], configs[name])
        seconds = time.thread_time() - begun
        path = files[name][index]
        atomic_write(path.with_suffix(".json"), json_bytes({"seconds": seconds}))
        save(path, images[0], maps)

    missing = [(i, name) for i in range(places) for name in configs if not files[name][i].exists()]
    list(on_all_cores(backbone, "images drawn", work, missing))
    return files


def write(out: Path, facts: dict[str, object], rows: list[dict[str, object]]) -> None:
    """Print the table and keep it; what is not there yet stays empty."""
    columns = dict.fromkeys(key for row in rows for key in row)
    whole = [{key: row.get(key, "") for key in columns} for row in rows]
    text = f"{table(whole)}\n{', '.join(f'{key}: {value}' for key, value in facts.items())}\n"
    print(f"\n{text}", flush=True)
    atomic_write(out / "solvers.json", json_bytes({"made with": facts, "rows": whole}))
    atomic_write(out / "solvers.md", text.encode())


if __name__ == "__main__":
    main()
