"""A prediction as pictures and as a record: the same for a folder, a download and an answer over HTTP."""

from __future__ import annotations

from typing import Any

from PIL import Image

from diffusionseg.masks import cutout, mask_picture, overlay, saliency_picture
from diffusionseg.prediction.predict import Prediction

PICTURES = ("saliency", "mask", "rgba", "overlay")
"""Kinds of picture that a prediction can be written as."""


def prediction_picture(kind: str, photo: Image.Image, prediction: Prediction) -> Image.Image:
    """A picture of `PICTURES`, of the photograph's size; saved as "PNG" it has the bytes of STEM.KIND.png.

    Raises ValueError naming another kind.
    """
    match kind:
        case "saliency":
            return saliency_picture(prediction.saliency)
        case "mask":
            return mask_picture(prediction.mask)
        case "rgba":
            return cutout(photo, prediction.alpha)
        case "overlay":
            return overlay(photo, prediction.mask, prediction.boxes)
    raise ValueError(f"{kind!r} is no kind of picture; choose from {', '.join(PICTURES)}")


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
