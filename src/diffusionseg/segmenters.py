"""Whatever a name or folder of weights stands for: a decoder with its generator, or a student."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffusionseg.data import read_json_object
from diffusionseg.prediction import Segmenter
from diffusionseg.prediction.weights_folder import resolve_folder
from diffusionseg.student.files import variant_of

if TYPE_CHECKING:
    from diffusionseg.backbone import Backbone


def load_segmenter(
    name_or_path: str | Path,
    *,
    model: str | Backbone | None = None,
    device: str = "auto",
    dtype: str | None = None,
) -> Segmenter:
    """Load `mini`, `mini-synthetic`, `student`, `student-int8`, a folder that `train` or `distill` wrote, or a hub id.

    `model` is the generator of a decoder where that has moved. Torch is imported for a decoder alone. Raises ValueError
    naming what is wrong, also where a student is given a generator, a device or a number format.
    """
    if is_student(name_or_path):
        from diffusionseg.student import Student

        if model is not None or device not in ("auto", "cpu") or dtype not in (None, "float32"):
            raise ValueError(f"{name_or_path}: a student has no generator and runs in float32 on the CPU")
        return Student.from_pretrained(name_or_path)
    from diffusionseg.backbone import Backbone
    from diffusionseg.exploitation import DiffusionSeg

    backbone = Backbone.from_pretrained(model, device=device, dtype=dtype) if isinstance(model, str) else model
    return DiffusionSeg.from_pretrained(name_or_path, device=device, dtype=dtype, backbone=backbone)


def is_student(name_or_path: str | Path) -> bool:
    """Whether weights are a student's, by their config.json; False where there is none to read."""
    place, _ = variant_of(name_or_path)
    path = resolve_folder(place) / "config.json"
    return path.is_file() and "student" in read_json_object(path)
