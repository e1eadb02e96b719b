"""The four pictures that a prediction can be written as."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from diffusionseg.masks.components import Box
from diffusionseg.masks.contracts import bool_mask, rgb_image, unit_map

OPAQUE = 0.95
"""Alpha from which a pixel's colour is taken as the object's own."""


def saliency_picture(saliency: ArrayLike) -> Image.Image:
    """8-bit grey picture ("L") of a saliency (H, W) in [0, 1]; 1 becomes 255."""
    return Image.fromarray(levels(unit_map("saliency", saliency)))


def mask_picture(mask: NDArray[np.bool_]) -> Image.Image:
    """8-bit grey picture ("L") of a mask (H, W) bool: 0 background, 255 object."""
    return Image.fromarray(bool_mask("mask", mask).astype(np.uint8) * np.uint8(255))


def cutout(image: ArrayLike | Image.Image, alpha: ArrayLike) -> Image.Image:
    """RGBA picture of an image (H, W, 3) uint8 with a mask (bool) or saliency ([0, 1]), (H, W), as its opacity.

    Where the opacity is partial the image's colour is partly background, which would show as a halo on another
    background; the missing part is taken from the nearest opaque pixel.
    """
    pixels = rgb_image("image", image)
    opacity = unit_map("alpha", alpha, pixels.shape[:2])
    opaque = opacity >= OPAQUE
    colour = pixels
    if opaque.any() and not opaque.all():
        rows, columns = ndimage.distance_transform_edt(~opaque, return_distances=False, return_indices=True)
        colour = np.empty_like(pixels)
        # A row at a time: of a large photograph the products would need gigabytes.
        for y, share in enumerate(np.where(opaque, 1, opacity)[:, :, None]):
            colour[y] = np.rint(share * pixels[y] + (1 - share) * pixels[rows[y], columns[y]])
    return Image.fromarray(np.dstack([colour, levels(opacity)]))


def overlay(
    image: ArrayLike | Image.Image,
    mask: NDArray[np.bool_],
    boxes: Sequence[Box] = (),
    *,
    colour: tuple[int, int, int] = (255, 64, 32),
    opacity: float = 0.4,
) -> Image.Image:
    """RGB picture: the image (H, W, 3) uint8 with the mask (H, W) bool tinted and outlined and the boxes drawn.

    colour: RGB, 0...255. opacity: of the tint, in [0, 1]. Boxes are (x0, y0, x1, y1), half-open, within the image.
    Lines are 1/200 of the image's longer side wide, at least 1 pixel.
    """
    pixels = rgb_image("image", image)
    height, width = pixels.shape[:2]
    mask = bool_mask("mask", mask, (height, width))
    if len(colour) != 3 or any(not 0 <= c <= 255 for c in colour):
        raise ValueError(f"colour must be three levels of 0...255, got {colour}")
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity must be in [0, 1], got {opacity}")
    line = max(1, round(max(height, width) / 200))
    # What the tint makes of each level of each channel; of a large photograph the products would need gigabytes.
    tint = np.rint((1 - opacity) * np.arange(256)[:, None] + opacity * np.asarray(colour)).astype(np.uint8)
    tinted = np.where(mask[:, :, None], tint[pixels, np.arange(3)], pixels)
    outline = mask & ~ndimage.minimum_filter(mask, size=2 * line + 1, mode="constant", cval=True)
    tinted[outline] = colour
    picture = Image.fromarray(tinted)
    draw = ImageDraw.Draw(picture)
    for x0, y0, x1, y1 in boxes:
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            raise ValueError(f"boxes must lie within {width} x {height} and hold a pixel, got {(x0, y0, x1, y1)}")
        draw.rectangle((x0, y0, x1 - 1, y1 - 1), outline=(255, 255, 0), width=line)
    return picture


def levels(values: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.uint8]:
    """[0, 1] to the nearest of 0...255."""
    return np.rint(values * values.dtype.type(255)).astype(np.uint8)
