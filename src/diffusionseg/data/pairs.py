"""Photographs and their ground-truth masks, matched by name; what has no partner is named."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from diffusionseg.data.folder import find_images
from diffusionseg.data.layouts import MASK_FOLDERS, Fault, Layout, LayoutError, candidates, recognise
from diffusionseg.data.places import inside

MASK_PATTERNS = ("*.png", "*.bmp", "*.tif", "*.tiff", "*.gif")
"""Lossless files. In a JPEG the background is not exactly 0, and every non-zero pixel counts as object."""
JPEG_PATTERNS = ("*.jpg", "*.jpeg")
PHOTOGRAPH_PATTERNS = (*JPEG_PATTERNS, *MASK_PATTERNS, "*.webp", "*.ppm", "*.avif")
"""Other files lie beside the photographs of some sets."""
WITHOUT_IMAGE, WITHOUT_MASK = "mask without image", "image without mask"
JPEG_MASK = "mask is a JPEG, which blurs it; convert the original to PNG"


@dataclass(frozen=True)
class BenchmarkPair:
    """A photograph and its ground truth."""

    stem: str
    """Name without extension, with sub-folders, the same for both."""
    image: Path
    """The photograph."""
    mask: Path
    """Its ground-truth mask."""


@dataclass(frozen=True)
class MaskSet:
    """Masks and the photographs they belong to."""

    images: dict[str, Path]
    """Stem to photograph; empty where only masks are there."""
    masks: dict[str, Path]
    """Stem to mask."""
    faults: tuple[Fault, ...] = ()
    """Files without partner, two of one name, masks stored as JPEG."""

    def pairs(self) -> list[BenchmarkPair]:
        """Every photograph with mask, by name."""
        return [BenchmarkPair(s, self.images[s], self.masks[s]) for s in sorted(self.masks.keys() & self.images)]

    def only(self, stems: Collection[str]) -> MaskSet:
        """The part of these stems."""
        chosen = set(stems)
        return MaskSet(
            {s: p for s, p in self.images.items() if s in chosen},
            {s: p for s, p in self.masks.items() if s in chosen},
            tuple(fault for fault in self.faults if fault.file in chosen),
        )


def read_masks(layout: Layout) -> MaskSet:
    """What a layout's folders hold, and what does not fit together in them."""
    together = layout.images == layout.masks
    images, twice = by_stem(layout.images, JPEG_PATTERNS if together else PHOTOGRAPH_PATTERNS)
    masks, more = by_stem(layout.masks, MASK_PATTERNS)
    faults = [*twice, *more]
    faults += [Fault(stem, WITHOUT_IMAGE) for stem in sorted(masks.keys() - images)]
    jpegs = {} if together else by_stem(layout.masks, JPEG_PATTERNS)[0]
    for stem in sorted(images.keys() - masks if not layout.partial else ()):
        faults.append(Fault(stem, JPEG_MASK if stem in jpegs else WITHOUT_MASK))
    return MaskSet(images, masks, tuple(faults))


def find_pairs(root: Path) -> list[BenchmarkPair]:
    """Photographs and masks of a data set, matched by name. Raises LayoutError naming what has no partner."""
    found = read_masks(recognise(root))
    refuse_faults(root, found.faults)
    return found.pairs()


def masks_below(directory: Path) -> list[tuple[str, Path]]:
    """`find_masks` for a folder of masks, or a data set that is all of one part."""
    folder = masks_folder(directory)
    truths, twice = by_stem(folder, MASK_PATTERNS)
    refuse_faults(folder, twice)
    # Some copies of a set have the photographs beside their masks; those are no reason to refuse.
    lossy = sorted(by_stem(folder, JPEG_PATTERNS)[0].keys() - truths)
    if lossy:
        raise LayoutError(
            f"{folder}: {len(lossy)} JPEG files without a PNG of that name ({first(lossy)}); name the folder of the "
            "masks, and convert JPEG masks from their originals, since JPEG blurs them"
        )
    if not truths:
        raise LayoutError(f"{folder}: no mask (*.png) found")
    return sorted(truths.items())


def masks_folder(directory: Path) -> Path:
    """The folder of masks that is meant by a folder, which is that folder itself or a data set's root."""
    if not directory.is_dir():
        raise LayoutError(f"{directory}: no such folder")
    inner = {inside(directory, name) for name in MASK_FOLDERS} - {None}
    folders = sorted({layout.masks for layout in candidates(directory)} or {p for p in inner if p})
    if len(folders) > 1:
        raise LayoutError(f"{directory}: holds several folders of masks ({first(map(str, folders))}); name one")
    return folders[0] if folders else directory


def by_stem(folder: Path, patterns: tuple[str, ...]) -> tuple[dict[str, Path], list[Fault]]:
    """Files of a folder by their name without extension, and those that share theirs."""
    found: dict[str, Path] = {}
    faults = []
    for image in find_images([folder], include=(*patterns, *(p.upper() for p in patterns))):
        stem = image.relative.with_suffix("").as_posix()
        if stem in found:
            faults.append(Fault(stem, f"{found[stem].name} and {image.path.name} have the same name"))
        found[stem] = image.path
    return found, faults


def refuse_faults(root: Path, faults: Iterable[Fault]) -> None:
    """Raise LayoutError naming the faults, those of one kind together."""
    kinds: dict[str, list[str]] = {}
    for fault in faults:
        kinds.setdefault(fault.reason, []).append(fault.file)
    if kinds:
        parts = [f"{len(files)} × {reason} ({first(files)})" for reason, files in kinds.items()]
        raise LayoutError(f"{root}: {' and '.join(parts)}; `diffusionseg datasets check` lists all")


def first(names: Iterable[str], number: int = 5) -> str:
    """The first of many names."""
    names = list(names)
    return ", ".join(names[:number]) + (" …" if len(names) > number else "")
