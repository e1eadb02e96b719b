"""Draws the figures of docs/method.md with the shipped generator, decoder and photographs.

python docs/figures.py                          # writes docs/images/attentioncut.png and prediction.png
python docs/figures.py --out DIR --steps 2      # quicker and elsewhere
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import diffusionseg as ds
from diffusionseg.backbone import Backbone
from diffusionseg.demo import photographs
from diffusionseg.masks import overlay, saliency_picture
from diffusionseg.synthesis import SynthesisConfig, synthesize
from diffusionseg.synthesis.drawing import Drawing, attention_from, chosen_maps, cut_drawing, draw, usual_readings
from diffusionseg.synthesis.preview import mask_overlay
from diffusionseg.synthesis.sampling import cut_row

TILE, CAPTION, GAP = 144, 16, 6
"""Side of a picture, height of the line under it and space between two, in pixels."""
CLASSES = ("starfish", "faces", "watch")
"""Of each, the first image of seed 0 that the quality gate lets pass."""
Row = list[tuple[str, Image.Image]]


def sheet(rows: list[Row]) -> Image.Image:
    """Pictures in rows with a line of text under each."""
    width = max(len(row) for row in rows) * (TILE + GAP) - GAP
    page = Image.new("RGB", (width, len(rows) * (TILE + CAPTION + GAP) - GAP), "white")
    pen = ImageDraw.Draw(page)
    for down, row in enumerate(rows):
        for along, (caption, picture) in enumerate(row):
            left, top = along * (TILE + GAP), down * (TILE + CAPTION + GAP)
            fitted = picture.convert("RGB")
            fitted.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
            if max(fitted.size) < TILE:
                scale = TILE / max(fitted.size)
                fitted = fitted.resize([round(s * scale) for s in fitted.size], Image.Resampling.NEAREST)
            page.paste(fitted, (left + (TILE - fitted.width) // 2, top + (TILE - fitted.height) // 2))
            pen.text((left + 2, top + TILE + 1), caption, fill="black")
    return page


def heat(values: np.ndarray) -> Image.Image:
    """Grey picture of a map (h, w), its least value black and its largest white."""
    low, high = values.min(), values.max()
    return Image.fromarray(((values - low) / max(high - low, 1e-12) * 255).astype(np.uint8))


def attentioncut_rows(steps: int) -> list[Row]:
    """Image, attention to the name early, late and read again, from one point, probability, cut, mask."""
    backbone = Backbone.from_pretrained("mini", device="cpu")
    # Many attempts, so that no row stays empty.
    config = SynthesisConfig(steps=steps, attempts=16)
    rows = []
    for accepted in synthesize(backbone, CLASSES, count=len(CLASSES), config=config):
        drawing = draw(backbone, CLASSES, accepted.index, 0, accepted.attempt, config)
        whole = chosen_maps(drawing, usual_readings(drawing, config))
        pair, cut = cut_drawing(drawing, whole, config), cut_row(whole, 0, drawing.image, config)
        picture = Image.fromarray(drawing.image)
        # The point that looks at the name most.
        row, column = np.unravel_index(cut.cross.argmax(), cut.cross.shape)
        point = ((column + 0.5) / cut.cross.shape[1], (row + 0.5) / cut.cross.shape[0])
        rows.append(
            [
                (f'"{drawing.prompt}"'[:24], picture),
                ("to the name, early", heat(_cross(drawing, [0], config))),
                ("late", heat(_cross(drawing, [2], config))),
                ("averaged", heat(cut.cross)),
                ("from one point", heat(attention_from(whole, point))),
                ("probability", heat(cut.probability)),
                ("minimum cut", Image.fromarray(cut.labels.astype(np.uint8) * 255)),
                ("mask, grey ignored", mask_overlay(picture, pair.mask)),
            ]
        )
    return rows


def _cross(drawing: Drawing, readings: list[int], config: SynthesisConfig) -> np.ndarray:
    return cut_row(chosen_maps(drawing, readings), 0, drawing.image, config).cross


def prediction_rows(count: int) -> list[Row]:
    """Photograph, coarse saliency, refined, mask with box, cut-out."""
    model = ds.DiffusionSeg.from_pretrained("mini", device="cpu")
    rows = []
    for path in photographs()[:count]:
        image = np.asarray(ds.read_image(path))
        coarse = model.saliency([image])[0]
        (found,) = model.predict(image)
        rows.append(
            [
                ("photograph", Image.fromarray(image)),
                (
                    "decoder's saliency",
                    saliency_picture(np.clip(coarse, 0, 1)).resize((image.shape[1], image.shape[0])),
                ),
                ("refined", saliency_picture(np.clip(found.saliency, 0, 1))),
                ("mask and box", overlay(image, found.mask, found.boxes)),
            ]
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "images")
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--photographs", type=int, default=3)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    sheet(attentioncut_rows(args.steps)).save(args.out / "attentioncut.png", optimize=True)
    sheet(prediction_rows(args.photographs)).save(args.out / "prediction.png", optimize=True)


if __name__ == "__main__":
    main()
