"""The pictures that show one prediction, and a sheet of several photographs with theirs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from diffusionseg.masks import cutout, mask_picture, overlay, saliency_picture
from diffusionseg.prediction import Prediction

HEIGHT = 150
"""Height of a row in pixels."""
GAP = 4
"""Pixels between pictures."""
CHECK = 10
"""Side of a square behind what is transparent, in pixels."""


def prediction_views(image: Image.Image, prediction: Prediction) -> dict[str, Image.Image]:
    """Photograph, saliency, mask, box and cut-out (RGBA), all of the photograph's size."""
    return {
        "photograph": image,
        "saliency": saliency_picture(prediction.saliency),
        "mask": mask_picture(prediction.mask),
        "box": overlay(image, prediction.mask, boxes=prediction.boxes[:1]),
        "cut-out": cutout(image, prediction.alpha),
    }


def photo_sheet(predictions: Sequence[tuple[Image.Image, Prediction]]) -> Image.Image:
    """One row of views for each photograph; what is cut away shows a chequerboard."""
    rows = [_row(list(prediction_views(*pair).values())) for pair in predictions]
    sheet = Image.new("RGB", (max(r.width for r in rows), sum(r.height + GAP for r in rows) - GAP), "white")
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height + GAP
    return sheet


def _row(views: list[Image.Image]) -> Image.Image:
    width = max(1, round(views[0].width * HEIGHT / views[0].height))
    row = Image.new("RGB", (len(views) * (width + GAP) - GAP, HEIGHT), "white")
    for place, view in enumerate(views):
        small = view.convert("RGBA").resize((width, HEIGHT), Image.Resampling.LANCZOS)
        row.paste(Image.alpha_composite(_chequerboard(width), small).convert("RGB"), (place * (width + GAP), 0))
    return row


def _chequerboard(width: int) -> Image.Image:
    y, x = np.mgrid[:HEIGHT, :width] // CHECK
    grey = np.where((y + x) % 2, 190, 235).astype(np.uint8)
    return Image.fromarray(grey).convert("RGBA")
