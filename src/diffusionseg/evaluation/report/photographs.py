"""Where the photographs of the evaluated images are."""

from __future__ import annotations

from pathlib import Path

from diffusionseg.data import Dataset, LayoutError, find_images, open_dataset
from diffusionseg.data.datasets import BOX_LINES
from diffusionseg.data.pairs import JPEG_PATTERNS, PHOTOGRAPH_PATTERNS, by_stem


def photographs_of_masks(masks: Path, images: Path | None, split: str | None = None) -> dict[str, Path]:
    """Stem to photograph, from `images` or where the data set at `masks` has them; empty where it has none.

    Raises ValueError where the folder `images` is not there.
    """
    if images is not None:
        # Some sets have the masks beside the photographs, as PNG.
        patterns = (PHOTOGRAPH_PATTERNS, JPEG_PATTERNS)
        return {stem: path for wanted in patterns for stem, path in by_stem(_folder(images), wanted)[0].items()}
    dataset = _dataset(masks, split)
    return {} if dataset is None or dataset.masks is None else dataset.masks.images


def photographs_of_boxes(boxes: Path, images: Path | None, split: str | None = None) -> dict[str, Path]:
    """Name of an image in its ground truth to photograph, as above; in `images` also the file's name alone."""
    if images is not None:
        found = find_images([_folder(images)])
        return {i.path.name: i.path for i in found} | {i.relative.as_posix(): i.path for i in found}
    dataset = _dataset(boxes.parent if boxes.name == BOX_LINES else boxes, split)
    return {} if dataset is None or dataset.boxes is None else dataset.boxes.images


def _folder(images: Path) -> Path:
    if not images.is_dir():
        raise ValueError(f"--images {images}: no such folder")
    return images


def _dataset(root: Path, split: str | None) -> Dataset | None:
    try:
        return open_dataset(root, split)
    except LayoutError:
        # What was evaluated need not be a whole data set.
        return None
