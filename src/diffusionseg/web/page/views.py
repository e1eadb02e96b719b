"""Pictures as HTML: embedded, small enough for a screen, each with what it shows in words."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 720
"""Longest side in pixels of a picture on the page."""
HEAT = np.array([(13, 8, 60), (110, 20, 110), (200, 60, 70), (250, 150, 40), (252, 250, 170)], np.float64)
"""Colours from little to much attention, growing in brightness so that they can be told apart without colour."""


def shrunk(picture: Image.Image, side: int = SIDE) -> Image.Image:
    """A picture no longer than `side`."""
    small = picture.copy()
    small.thumbnail((side, side), Image.Resampling.BOX if picture.mode == "L" else Image.Resampling.LANCZOS)
    return small


def image(picture: Image.Image, alt: str, css: str = "") -> str:
    """An embedded picture; `alt` is plain text."""
    buffer = io.BytesIO()
    kind = "jpeg" if picture.mode == "RGB" else "png"
    picture.save(buffer, kind, **({"quality": 88} if kind == "jpeg" else {}))
    source = f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
    width, height = picture.size
    return f'<img class="{css}" alt="{escape(alt)}" width="{width}" height="{height}" src="{source}">'


def figure(picture: Image.Image, alt: str, caption: str, css: str = "") -> str:
    """A picture and what is said of it, plain text."""
    return f"<figure>{image(picture, alt, css)}<figcaption>{escape(caption)}</figcaption></figure>"


def before_after(before: Image.Image, after: Image.Image, name: str) -> str:
    """Two pictures of one size on top of each other, and a slider that uncovers the second."""
    slide = "this.closest('.compare').style.setProperty('--at', this.value + '%')"
    return (
        f'<figure class="compare"><div class="stack">{image(before, f"{name}, as it is")}'
        f"{image(after, f'{name}, the object tinted and its boxes drawn', 'top')}</div>"
        f'<label>Before and after<input type="range" min="0" max="100" value="50" oninput="{slide}"></label></figure>'
    )


def heat(values: NDArray[np.floating], size: tuple[int, int]) -> Image.Image:
    """A map (h, w), stretched from its least to its greatest value, enlarged to `size` (width, height), in colour."""
    values = values.astype(np.float64)
    span = float(values.max() - values.min())
    level = (values - values.min()) / span if span > 0 else np.zeros_like(values)
    enlarged = Image.fromarray((level * 255).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    place = np.asarray(enlarged, np.float64) / 255 * (len(HEAT) - 1)
    below = np.minimum(place.astype(int), len(HEAT) - 2)
    part = (place - below)[..., None]
    return Image.fromarray(np.rint(HEAT[below] * (1 - part) + HEAT[below + 1] * part).astype(np.uint8))


def alert(problems: Sequence[str]) -> str:
    """Problems, plain text, read out at once by screen readers; nothing where there are none."""
    said = "".join(f"<p>{escape(problem)}</p>" for problem in problems)
    return f'<div role="alert" class="alert">{said}</div>' if problems else ""


def status(text: str) -> str:
    """What is going on, plain text."""
    return f'<p role="status">{escape(text)}</p>'


def link(address: str, text: str) -> str:
    """A download; both are our own text, not a client's."""
    return f'<a class="download" download href="{escape(address)}">{escape(text)}</a>'
