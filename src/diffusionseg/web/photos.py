"""From an uploaded photograph to its answer: the same bytes as `diffusionseg predict` writes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping

import numpy as np
from PIL import Image

from diffusionseg.data import ImageError, read_image
from diffusionseg.prediction import PICTURES, PredictConfig, Prediction, prediction_picture, prediction_record
from diffusionseg.web.body import Refused
from diffusionseg.web.models import LoadedModel

NAME = "photograph"
"""Name of a photograph in answers; the client's own is not used."""


def open_photo(content: bytes, max_pixels: int) -> Image.Image:
    """The photograph in a file's content, upright RGB. Raises Refused (400) saying what is wrong with it."""
    try:
        return read_image(content, max_pixels=max_pixels, name=NAME)
    except ImageError as error:
        raise Refused(400, f"the {NAME} {_said(error.reason)}") from error


def predict_photo(model: LoadedModel, photo: Image.Image, config: PredictConfig) -> Prediction:
    """The prediction of one photograph, alone in its U-Net call. Raises Refused (400) where it has none."""
    # As an array: a picture would be turned upright once more.
    ((_, outcome),) = model.segmenter.predict_iter([(NAME, np.asarray(photo))], 1, config)
    if isinstance(outcome, ImageError):
        raise Refused(400, f"the {NAME} {_said(outcome.reason)}")
    return outcome[1]


def png(picture: Image.Image) -> bytes:
    """A picture as a file."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def picture_file(kind: str, photo: Image.Image, prediction: Prediction) -> bytes:
    """The file that predict writes as STEM.KIND.png."""
    return png(prediction_picture(kind, photo, prediction))


def zipped(photo: Image.Image, prediction: Prediction, stem: str = NAME) -> bytes:
    """All pictures and the record of a prediction in one archive."""
    files = {f"{stem}.{kind}.png": picture_file(kind, photo, prediction) for kind in PICTURES}
    record = json.dumps(prediction_record(prediction), indent=1).encode() + b"\n"
    return archive({**files, f"{stem}.json": record})


def archive(files: Mapping[str, bytes]) -> bytes:
    """A zip archive of files by name; its bytes depend on them alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as out:
        for name, content in files.items():
            out.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def _said(reason: str) -> str:
    """A reason of ImageError as the end of a sentence: "640x5 pixels are too few" has no verb of its subject."""
    return reason if reason.startswith(("is ", "does ")) else f"cannot be used: {reason}"
