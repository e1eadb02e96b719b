"""Folder layouts of saliency benchmarks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from diffusionseg.data.folder import find_images

LAYOUTS = (
    ("DUTS-TE", "DUTS-TE-Image", "DUTS-TE-Mask"),
    ("DUTS-TR", "DUTS-TR-Image", "DUTS-TR-Mask"),
    ("DUT-OMRON", "DUT-OMRON-image", "pixelwiseGT-new-PNG"),
    ("ECSSD", "images", "ground_truth_mask"),
    ("TokenCut", "img", "gt"),
    ("images and masks", "images", "masks"),
)
"""(name, folder of photographs, folder of masks) as the data sets are published, and as TokenCut's scripts expect."""

MASK_PATTERNS = ("*.png", "*.bmp", "*.tif", "*.tiff", "*.gif")
"""Lossless files. In a JPEG the background is not exactly 0, and every non-zero pixel counts as object."""


class LayoutError(ValueError):
    """A data set that cannot be used as it lies there; the message begins with its path."""


@dataclass(frozen=True)
class BenchmarkPair:
    """A photograph and its ground truth."""

    stem: str
    """Name without extension, with sub-folders, the same for both."""
    image: Path
    """The photograph."""
    mask: Path
    """Its ground-truth mask."""


def recognise(root: Path) -> tuple[str, Path, Path]:
    """(name of the layout, folder of photographs, folder of masks). Raises LayoutError for none or several."""
    found = [(n, root / i, root / m) for n, i, m in LAYOUTS if (root / i).is_dir() and (root / m).is_dir()]
    if not found:
        known = ", ".join(f"{i}/ + {m}/" for _, i, m in LAYOUTS)
        raise LayoutError(f"{root}: no known layout; it needs one of {known}")
    if len(found) > 1:
        raise LayoutError(f"{root}: holds several sets ({', '.join(n for n, _, _ in found)}); name one folder of masks")
    return found[0]


def find_pairs(root: Path) -> list[BenchmarkPair]:
    """Photographs and masks of a data set, matched by name. Raises LayoutError naming what has no partner."""
    _, images, masks = recognise(root)
    photographs = _by_stem(images, ())
    truths = _by_stem(masks, MASK_PATTERNS)
    without_image, without_mask = sorted(truths.keys() - photographs), sorted(photographs.keys() - truths)
    if without_image or without_mask:
        parts = [
            f"{len(stems)} {what} ({_first(stems)})"
            for stems, what in ((without_image, "masks without image"), (without_mask, "images without mask"))
            if stems
        ]
        raise LayoutError(f"{root}: {' and '.join(parts)}")
    return [BenchmarkPair(stem, photographs[stem], truths[stem]) for stem in sorted(truths)]


def find_masks(directory: Path) -> list[tuple[str, Path]]:
    """(stem with sub-folders, file) of every ground-truth mask.

    `directory` holds the masks themselves or is the root of a data set in a known layout. Raises LayoutError where
    there is none, several sets, JPEG masks, or two masks of one name.
    """
    inner = sorted({directory / masks for _, _, masks in LAYOUTS if (directory / masks).is_dir()})
    if len(inner) > 1:
        raise LayoutError(f"{directory}: holds several folders of masks ({', '.join(p.name for p in inner)}); name one")
    folder = inner[0] if inner else directory
    if not folder.is_dir():
        raise LayoutError(f"{folder}: no such folder")
    truths = _by_stem(folder, MASK_PATTERNS)
    # Some copies of a set have the photographs beside their masks; those are no reason to refuse.
    lossy = sorted(_by_stem(folder, ("*.jpg", "*.jpeg")).keys() - truths)
    if lossy:
        raise LayoutError(
            f"{folder}: {len(lossy)} JPEG files without a PNG of that name ({_first(lossy)}); name the folder of the "
            "masks, and convert JPEG masks from their originals, since JPEG blurs them"
        )
    if not truths:
        raise LayoutError(f"{folder}: no mask (*.png) found")
    return sorted(truths.items())


def _by_stem(folder: Path, patterns: tuple[str, ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for image in find_images([folder], include=(*patterns, *(p.upper() for p in patterns))):
        stem = image.relative.with_suffix("").as_posix()
        if stem in found:
            raise LayoutError(f"{folder}: {found[stem].name} and {image.path.name} have the same name")
        found[stem] = image.path
    return found


def _first(names: Iterable[str], number: int = 5) -> str:
    names = list(names)
    return ", ".join(names[:number]) + (" …" if len(names) > number else "")
