"""A photograph on the page, with all that need not be computed again when a slider moves."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from diffusionseg.masks import cutout
from diffusionseg.prediction import PredictConfig, Prediction, decide, refined
from diffusionseg.web.body import Refused
from diffusionseg.web.models import LoadedModel

Floats = NDArray[np.float32]
BACKGROUNDS = ("transparent", "white", "grey", "black", "green", "blurred")
"""What a cut-out may stand on."""
_COLOURS = {"white": (255, 255, 255), "grey": (128, 128, 128), "black": (0, 0, 0), "green": (0, 177, 64)}


@dataclass(eq=False)
class HeldPhoto:
    """A photograph, its features' saliency by model, and the latest refinement of it."""

    name: str
    """Its file's name without what a file system or a page could misunderstand."""
    photo: Image.Image
    """Upright RGB."""
    _coarse: dict[str, Floats] = field(default_factory=dict)
    _refined: tuple[tuple[str, str], Floats] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return self.photo.width * self.photo.height * (3 + 4 * (self._refined is not None))

    def predict(
        self, model: LoadedModel, config: PredictConfig, work: Callable[[Callable[[], Floats]], Floats]
    ) -> Prediction:
        """The prediction with these settings. `work` runs what needs the generator, which is done once for a model."""
        image = np.asarray(self.photo)
        with self._lock:
            if model.name not in self._coarse:
                coarse = work(lambda: model.segmenter.saliency([image], config.flip, config.margins)[0])
                if not np.isfinite(coarse).all():
                    raise Refused(400, "the saliency is no number; the server needs --dtype float32")
                self._coarse[model.name] = coarse
            wanted = (model.name, config.refine)
            if self._refined is None or self._refined[0] != wanted:
                self._refined = (wanted, refined(self._coarse[model.name], image, config))
            return decide(self._refined[1], config)


def safe_name(name: str) -> str:
    """A file's name without folders, ending and unusual characters, at most 60 long."""
    last = re.split(r"[/\\]", name)[-1]
    stem = last.rpartition(".")[0] or last
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-")[:60] or "photograph"


def settings(model: LoadedModel, refine: str | None, threshold: float | None, multiple: bool | None) -> PredictConfig:
    """The model's own settings with what a visitor chose, None for nothing. Raises Refused (422) for what is out of
    range."""
    try:
        chosen = {
            "refine": refine,
            "threshold": None if threshold is None else float(threshold),
            "multiple": None if multiple is None else bool(multiple),
        }
        chosen = {name: value for name, value in chosen.items() if value is not None}
        return replace(model.segmenter.predict_config, **chosen)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise Refused(422, str(error)) from error


def on_background(photo: Image.Image, alpha: Floats, background: str) -> Image.Image:
    """The cut-out, RGBA where it stands on nothing, else RGB. Raises Refused (422) for an unknown background."""
    if background not in BACKGROUNDS:
        raise Refused(422, f"background must be one of {', '.join(BACKGROUNDS)}")
    cut = cutout(photo, alpha)
    if background == "transparent":
        return cut
    if background == "blurred":
        ground = photo.filter(ImageFilter.GaussianBlur(max(photo.size) / 40))
    else:
        ground = Image.new("RGB", photo.size, _COLOURS[background])
    ground.paste(cut, mask=cut.getchannel("A"))
    return ground
