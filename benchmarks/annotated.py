"""Photographs with boxes of named objects, and how many of them a way to cut finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diffusionseg.data import read_boxes
from diffusionseg.evaluation.corloc import box_area, box_iou
from diffusionseg.pretraining import JudgeConfig

SHARE = JudgeConfig().share
"""Photographs whose largest object covers this share are also reported apart: of others the frame is a good guess."""
PROMPTS_HELP = (
    "classes of --boxes-dir to prompt for, separated by commas, each CLASS or CLASS=NAME that the generator knows; "
    "default the names it knows"
)


@dataclass(frozen=True)
class Annotated:
    """A photograph with the boxes of all its objects of one class, which its largest object has."""

    path: Path
    name: str
    prompt: str
    size: tuple[int, int]
    boxes: tuple[tuple[float, float, float, float], ...]

    @property
    def middling(self) -> bool:
        """Whether its largest object is of middling size."""
        return SHARE[0] <= max(map(box_area, self.boxes)) / (self.size[0] * self.size[1]) <= SHARE[1]


def annotated_photos(folder: Path, prompts: str | None, known: Sequence[str]) -> list[Annotated]:
    """Photographs with an object of a class that `prompts` (as `--prompts`; None: `known`) says how to name.

    Ends the program where there is none, and where `prompts` has a class of which there is none.
    """
    entries = [entry.strip().split("=") * 2 for entry in prompts.split(",")] if prompts else [[n, n] for n in known]
    named = {entry[0]: entry[1] for entry in entries}
    found = []
    for item in read_boxes(folder / "boxes.jsonl"):
        if known := [thing for thing in item.objects if thing.name in named]:
            name = max(known, key=lambda thing: box_area(thing.box)).name
            boxes = tuple(thing.box for thing in known if thing.name == name)
            size = item.width, item.height
            found.append(Annotated(folder / "images" / item.image, name, named[name], size, boxes))
    missing = set(named) - {item.name for item in found}
    if not found or (prompts and missing):
        raise SystemExit(f"{folder}: no photograph of {', '.join(sorted(missing))}")
    return found


def located(name: str, items: Sequence[Annotated], boxes: Sequence[Any]) -> dict[str, Any]:
    """CorLoc of one variant, over all photographs and over those whose largest object is of middling size."""
    pairs = zip(items, boxes, strict=True)
    hits = np.array([box is not None and any(box_iou(box, b) >= 0.5 for b in item.boxes) for item, box in pairs])
    middling = np.array([item.middling for item in items])
    first = np.arange(len(hits)) % 2 == 0
    row: dict[str, Any] = {"variant": name}
    for half, chosen in (("choose", first), ("report", ~first)):
        for kind, of_kind in (("all", chosen), ("5-60", chosen & middling)):
            row[f"CorLoc {half} {kind}"] = float(hits[of_kind].mean()) if of_kind.any() else ""
    return row


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown."""
    keys = list(rows[0])
    lines = ["| " + " | ".join(keys) + " |", "|" + "---|" * len(keys)]
    for r in rows:
        lines.append("| " + " | ".join(f"{v:.3f}" if isinstance(v, float) else str(v) for v in r.values()) + " |")
    return "\n".join(lines) + "\n"
