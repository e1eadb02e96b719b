"""A hundred pictures of randomly chosen class names, to be recognised by a person.

    python recipes/mini/sample_grid.py --model mini --out recipes/mini/samples.jpg

`--classes FILE` draws from the names in a file, one a line; by default from those that the generator was trained on
last. Writes the grid with the names below the pictures, and beside it the same grid without them, to judge blindly.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from diffusionseg import mini
from diffusionseg.backbone import Backbone
from diffusionseg.pretraining.samples import CAPTION, draw

SIDE = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--classes", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    backbone = Backbone.from_pretrained(args.model)
    folder = mini.model_path() if args.model == mini.NAME else Path(args.model)
    known = (args.classes or folder / "classes.txt").read_text().splitlines()
    names = [known[i] for i in np.random.default_rng(args.seed).integers(len(known), size=SIDE * SIDE)]
    pictures = []
    for row in range(SIDE):
        pictures += draw(backbone, names[row * SIDE : (row + 1) * SIDE], args.seed + row)
        print(f"\r{len(pictures)}/{SIDE * SIDE}", end="", flush=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    sheet(pictures, names).save(args.out, optimize=True, quality=85)
    sheet(pictures, [""] * len(names)).save(args.out.with_stem(args.out.stem + "-blind"), optimize=True, quality=85)


def sheet(pictures: list[Image.Image], captions: list[str]) -> Image.Image:
    """Ten rows of ten pictures, enlarged twice, with a caption below each."""
    width, height = (2 * side for side in pictures[0].size)
    whole = Image.new("RGB", (SIDE * width, SIDE * (height + CAPTION)), "white")
    write = ImageDraw.Draw(whole)
    for place, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left, top = place % SIDE * width, place // SIDE * (height + CAPTION)
        whole.paste(picture.resize((width, height), Image.Resampling.BICUBIC), (left, top))
        write.text((left + 2, top + height + 1), caption, fill="black")
    return whole


if __name__ == "__main__":
    main()
