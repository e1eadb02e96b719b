"""Run every station of the method once with the embedded model, and write the page that shows it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from diffusionseg.backbone import Backbone
from diffusionseg.data import atomic_write, read_image, read_shards, whole_file
from diffusionseg.demo.report import Page, page_html
from diffusionseg.demo.sheet import photo_sheet
from diffusionseg.exploitation import DiffusionSeg, TrainConfig, train
from diffusionseg.masks import cutout, mask_picture, overlay, saliency_picture
from diffusionseg.prediction import Prediction
from diffusionseg.synthesis import SynthesisConfig, synthesize_set

Report = Callable[[str, int, int], None]
"""Called as report(stage, done, all)."""

CLASSES = (
    "sunflower",
    "starfish",
    "watch",
    "faces",
    "grand piano",
    "metronome",
    "jellyfish",
)
"""Classes that the demonstration synthesises, four or five places for each by default."""


@dataclass(frozen=True)
class DemoConfig:
    """Size of the demonstration."""

    count: int = 32
    """Places of the synthetic set; a few stay empty when none of their attempts passes the gate."""
    steps: int = 60
    """Steps of the short decoder training."""
    seed: int = 0
    """Seed of synthesis and training."""


def photographs() -> list[Path]:
    """The photographs that come with the package; their terms are in `photos/LICENSES.md`."""
    return sorted((Path(__file__).parent / "photos").glob("*.jpg"))


def run_demo(
    out: Path,
    config: DemoConfig,
    *,
    device: str = "auto",
    dtype: str | None = None,
    overwrite: bool = False,
    report: Report = lambda *_: None,
) -> Path:
    """Synthesise, train briefly, predict the packaged photographs; returns OUT/report.html."""
    out.mkdir(parents=True, exist_ok=True)
    backbone = Backbone.from_pretrained("mini", device=device, dtype=dtype)
    pairs = out / "pairs"
    places = iter(range(1, config.count + 1))
    summary = synthesize_set(
        backbone,
        CLASSES,
        pairs,
        # Many attempts, so that no place of the page stays empty.
        config=SynthesisConfig(attempts=16),
        count=config.count,
        seed=config.seed,
        overwrite=overwrite,
        report=lambda _: report("synthesis", next(places), config.count),
    )
    samples = list(read_shards(pairs))
    train(
        backbone,
        [(s.image_array(), s.mask_array()) for s in samples],
        out / "decoder",
        train_config=TrainConfig(steps=config.steps, batch_size=8, preview_every=10, seed=config.seed),
        overwrite=overwrite,
        report=lambda step, steps, _: report("short decoder training", step, steps),
    )
    model = DiffusionSeg.from_pretrained("mini", backbone=backbone)
    photos = photographs()
    images = [read_image(path) for path in photos]
    predictions = []
    for number, image in enumerate(images):
        predictions += model.predict([image])
        report("photographs", number + 1, len(images))
    for path, image, prediction in zip(photos, images, predictions, strict=True):
        _save(out / "predictions", path.stem, image, prediction)
    sheet = io.BytesIO()
    photo_sheet(list(zip(images, predictions, strict=True))).save(sheet, "PNG", optimize=True)
    atomic_write(out / "photos.png", sheet.getvalue())
    page = Page(
        samples=samples,
        summary=summary,
        curves=(out / "decoder" / "curves.png").read_bytes(),
        photos=[(p.stem, i, r) for p, i, r in zip(photos, images, predictions, strict=True)],
    )
    atomic_write(out / "report.html", page_html(page).encode())
    return out / "report.html"


def _save(folder: Path, stem: str, image: Image.Image, prediction: Prediction) -> None:
    pictures = {
        "saliency": saliency_picture(prediction.saliency),
        "mask": mask_picture(prediction.mask),
        "rgba": cutout(image, prediction.alpha),
        "overlay": overlay(image, prediction.mask, boxes=prediction.boxes),
    }
    for kind, picture in pictures.items():
        with whole_file(folder / f"{stem}.{kind}.png") as file:
            picture.save(file, "PNG")
