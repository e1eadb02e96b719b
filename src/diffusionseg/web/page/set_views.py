"""Synthesised images as HTML."""

from __future__ import annotations

from html import escape

import numpy as np
from PIL import Image, ImageDraw

from diffusionseg.synthesis import attention_from, mask_overlay
from diffusionseg.web.page.held_set import HeldSet
from diffusionseg.web.page.views import figure, heat, image

EMPTY = '<p class="empty">Images appear here while they are made.</p>'
THUMB, SIDE = 176, 320
"""Sides in pixels of small and large pictures."""


def gallery(one: HeldSet, at: int) -> str:
    """A button for each image, with its mask drawn in; that of number `at` is pressed."""
    thumbs = []
    for number, pair in enumerate(one.pairs):
        reason = one.reason(number)
        said = "kept" if one.kept[number] else f"rejected: {reason}" if reason else "rejected"
        picture = mask_overlay(Image.fromarray(pair.image), pair.mask).resize((THUMB, THUMB), Image.Resampling.LANCZOS)
        alt = f"image {number + 1}, {pair.class_name}, mask tinted"
        thumbs.append(
            f'<button type="button" data-n="{number}" class="{"kept" if one.kept[number] else "rejected"}" '
            f'aria-pressed="{"true" if number == at else "false"}">{image(picture, alt)}'
            f"<span>{number + 1} {escape(pair.class_name)}<small>{escape(said)}</small></span></button>"
        )
    return f'<div class="thumbs">{"".join(thumbs)}</div>'


def details(one: HeldSet, number: int, point: tuple[float, float]) -> str:
    """Image, cross-attention, self-attention of a point (x, y in 0…1), and mask of one image."""
    if not 0 <= number < len(one.pairs):
        return ""
    pair, size = one.pairs[number], (SIDE, SIDE)
    name = f"image {number + 1}, {pair.class_name}"
    picture = Image.fromarray(pair.image).resize(size, Image.Resampling.LANCZOS)
    aimed = heat(attention_from(one.maps(number), point), size)
    mask = Image.fromarray(pair.mask).resize(size, Image.Resampling.NEAREST)
    quality, energy = pair.quality, pair.energy
    where = f"{point[0]:.0%} from the left, {point[1]:.0%} from the top"
    undecided = np.asarray(mask) == 128
    return (
        f'<h3>{escape(name)}</h3><div class="pictures">'
        + figure(_marked(picture, point), f"{name}, the chosen point marked", "Image; click a point", "pointed")
        + figure(heat(pair.attention, size), f"cross-attention of {name}", f"Cross-attention to “{pair.class_name}”")
        + figure(
            _marked(aimed, point), f"self-attention of {name} from {where}", "Self-attention from the point", "pointed"
        )
        + figure(mask, f"mask of {name}: {quality.area:.1%} object", _mask_said(quality.area, float(undecided.mean())))
        + f'</div><p class="facts">Prompt “{escape(pair.prompt)}”, seed {pair.seed}. Energy of the cut '
        f"{energy['total']:.1f}; agreement with the attention {quality.agreement:.2f}, confidence "
        f"{quality.confidence:.2f}, border {quality.border:.0%}.</p>"
    )


def _mask_said(area: float, undecided: float) -> str:
    return f"Mask: {area:.1%} object, {undecided:.1%} undecided (grey)"


def _marked(picture: Image.Image, point: tuple[float, float]) -> Image.Image:
    marked = picture.copy()
    pen, (width, height) = ImageDraw.Draw(marked), marked.size
    x, y = point[0] * (width - 1), point[1] * (height - 1)
    for radius, colour in ((7, "black"), (6, "white"), (3, "black")):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=2)
    return marked
