"""A prediction as pictures and as a record: the same for a folder, a download and an answer over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageColor

from diffusionseg.masks import cutout, mask_picture, overlay, saliency_picture
from diffusionseg.prediction.predict import Prediction

PICTURES = ("saliency", "mask", "rgba", "overlay")
"""Kinds of picture that a prediction can be written as."""


@dataclass(frozen=True)
class CutoutConfig:
    """What `rgba` pictures look like."""

    background: str = ""
    """Colour behind the object, as `#rrggbb` or a name of CSS; empty for none."""
    crop: bool = False
    """Cut down to the object's box, or the box of all where there are several; whole where nothing was found."""

    def __post_init__(self) -> None:
        if self.background:
            self.colour()

    def colour(self) -> tuple[int, int, int]:
        """The background's red, green and blue, 0…255. Raises ValueError where it is no colour."""
        try:
            red, green, blue = ImageColor.getrgb(self.background)[:3]
        except ValueError as error:
            message = f"--background {self.background!r}: not a colour; use one such as '#ffcc00' or white"
            raise ValueError(message) from error
        return red, green, blue


def prediction_picture(
    kind: str, photo: Image.Image, prediction: Prediction, cutouts: CutoutConfig | None = None
) -> Image.Image:
    """A picture of `PICTURES`, of the photograph's size but for a cropped `rgba`; saved as "PNG" it has the bytes of
    STEM.KIND.png.

    Raises ValueError naming another kind.
    """
    match kind:
        case "saliency":
            return saliency_picture(prediction.saliency)
        case "mask":
            return mask_picture(prediction.mask)
        case "rgba":
            return _cut_out(photo, prediction, cutouts or CutoutConfig())
        case "overlay":
            return overlay(photo, prediction.mask, prediction.boxes)
    raise ValueError(f"{kind!r} is no kind of picture; choose from {', '.join(PICTURES)}")


def _cut_out(photo: Image.Image, prediction: Prediction, config: CutoutConfig) -> Image.Image:
    picture = cutout(photo, prediction.alpha)
    if config.background:
        ground = Image.new("RGBA", picture.size, (*config.colour(), 255))
        ground.alpha_composite(picture)
        picture = ground
    if config.crop and prediction.boxes:
        left, top, right, bottom = zip(*prediction.boxes, strict=True)
        picture = picture.crop((min(left), min(top), max(right), max(bottom)))
    return picture


def prediction_record(prediction: Prediction) -> dict[str, Any]:
    """What predictions.jsonl says of a photograph, apart from its name: size, boxes, scores, seconds."""
    width, height = prediction.image_size
    return {
        "width": width,
        "height": height,
        "boxes": [list(box) for box in prediction.boxes],
        "scores": [round(score, 4) for score in prediction.scores],
        "seconds": round(prediction.seconds, 4),
    }
