"""Contact sheet of a synthetic set: image | cross-attention | mask."""

from __future__ import annotations

import io
from collections.abc import Iterable
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from diffusionseg.data import Sample, Where, open_store, read_shards
from diffusionseg.masks import overlay

TILE = 128
"""Side of one picture in pixels."""
CAPTION = 14
"""Height of the class name under a row of three, in pixels."""


def contact_sheet(samples: Iterable[Sample], columns: int = 3) -> Image.Image:
    """Sheet of triples, `columns` of them in a row; ignored pixels are grey in the mask picture."""
    triples = [(_triple(s), str(s.meta.get("class", ""))[:100]) for s in samples]
    if not triples:
        raise ValueError("no sample to show")
    rows = -(-len(triples) // columns)
    gap = 8
    sheet = Image.new("RGB", (columns * (3 * TILE + gap), rows * (TILE + CAPTION)), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (picture, name) in enumerate(triples):
        left, top = number % columns * (3 * TILE + gap), number // columns * (TILE + CAPTION)
        sheet.paste(picture, (left, top))
        pen.text((left + 2, top + TILE), name, fill="black")
    return sheet


def write_preview(where: Where, limit: int = 24) -> None:
    """Write a set's preview.png from the first `limit` samples; nothing where the set is empty."""
    store = open_store(where)
    samples = list(islice(read_shards(store), limit))
    if samples:
        buffer = io.BytesIO()
        contact_sheet(samples).save(buffer, "PNG", optimize=True)
        store.write("preview.png", buffer.getvalue())


def attention_picture(attention: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    """Grey picture of a cross-attention map (h, w) uint8, enlarged to `size` (width, height)."""
    return Image.fromarray(attention).resize(size, Image.Resampling.BICUBIC).convert("RGB")


def mask_overlay(image: Image.Image, mask: NDArray[np.uint8]) -> Image.Image:
    """Image with its object tinted; ignored pixels are grey."""
    tinted = np.asarray(overlay(image, mask == 255)).copy()
    tinted[mask == 128] = 128
    return Image.fromarray(tinted)


def _triple(sample: Sample) -> Image.Image:
    image, mask = sample.image_array(), sample.mask_array()
    picture = Image.fromarray(image)
    parts = [picture, attention_picture(sample.attention_array(), picture.size), mask_overlay(picture, mask)]
    sheet = Image.new("RGB", (3 * TILE, TILE))
    for i, part in enumerate(parts):
        sheet.paste(part.resize((TILE, TILE), Image.Resampling.LANCZOS), (i * TILE, 0))
    return sheet
