"""Synthesised images on the page: cut again whenever a slider moves, without being drawn again."""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from diffusionseg.attentioncut import PixelMethod
from diffusionseg.data import Sample, write_manifest, write_shard
from diffusionseg.exports import ExportConfig
from diffusionseg.exports import export as write_export
from diffusionseg.exports.folder import MARK
from diffusionseg.synthesis import (
    Drawing,
    SynthesisConfig,
    SyntheticPair,
    chosen_maps,
    contact_sheet,
    cut_drawing,
    reject_reason,
    usual_readings,
)
from diffusionseg.web.body import Refused
from diffusionseg.web.jobs import files_in
from diffusionseg.web.models import LoadedModel
from diffusionseg.web.photos import archive

EXPORTS = {"coco": "COCO", "voc": "Pascal VOC", "yolo": "YOLO"}
"""Formats of other tools that the page offers, with their names."""


@dataclass(frozen=True)
class Cutting:
    """How the images of a set are cut."""

    smoothness: float
    """λ."""
    sigma: float
    """σ."""
    refine: PixelMethod
    """How masks get to pixels."""
    readings: tuple[int, ...]
    """Numbers of the readings whose attention counts."""
    blocks: tuple[str, ...]
    """Transformer blocks whose attention counts."""


@dataclass(eq=False)
class HeldSet:
    """Images with their attention, the way they are cut, and which of them are wanted."""

    config: SynthesisConfig
    """Everything else about a pair."""
    seed: int
    """Seed of all randomness."""
    model: LoadedModel
    """Whose generator draws."""
    class_names: tuple[str, ...]
    """Classes, which places take in turn."""
    drawings: list[Drawing] = field(default_factory=list)
    """One for each place so far."""
    pairs: list[SyntheticPair] = field(default_factory=list)
    """What is cut out of each."""
    kept: list[bool] = field(default_factory=list)
    """Whether it is to be exported."""
    cutting: Cutting | None = None
    """None until there is an image."""
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def size(self) -> int:
        """Memory that it takes."""
        return sum(drawing.bytes + drawing.image.nbytes for drawing in self.drawings)

    def add(self, drawing: Drawing) -> None:
        """Add the next place's image; one that misses the quality gate is not kept at first."""
        with self._lock:
            if self.cutting is None:
                usual = tuple(usual_readings(drawing, self.config))
                cut = self.config.cut
                self.cutting = Cutting(cut.smoothness, cut.sigma, cut.refine, usual, tuple(drawing.blocks))
            pair = self._cut(drawing, self.cutting)
            self.drawings.append(drawing)
            self.pairs.append(pair)
            self.kept.append(self.reason(len(self.pairs) - 1) is None)

    def usual_pair(self, drawing: Drawing) -> SyntheticPair:
        """What `synth` would cut out of a drawing."""
        return cut_drawing(drawing, chosen_maps(drawing, usual_readings(drawing, self.config)), self.config)

    def cut_again(self, cutting: Cutting) -> None:
        """Cut every image another way. Raises Refused (422), and changes nothing, where that is impossible."""
        with self._lock:
            if cutting != self.cutting:
                try:
                    pairs = [self._cut(drawing, cutting) for drawing in self.drawings]
                except ValueError as error:
                    raise Refused(422, str(error)) from error
                self.pairs, self.cutting = pairs, cutting

    def reason(self, number: int) -> str | None:
        """Why the quality gate would reject an image, as it is cut now."""
        return reject_reason(self.pairs[number].quality, self.config.gate)

    def export(self, format: str | None = None) -> bytes:
        """The kept pairs as a zip archive: a set that `diffusionseg train` can use once it is unpacked, or one of
        `EXPORTS`, images included. Raises Refused (409) where none is kept."""
        with self._lock:
            pairs = [pair for pair, kept in zip(self.pairs, self.kept, strict=True) if kept]
            left_out = [pair.index for pair, kept in zip(self.pairs, self.kept, strict=True) if not kept]
            cutting = self.cutting
        if not pairs or cutting is None:
            raise Refused(409, "no image is kept; keep one first")
        samples = [Sample(pair.index, pair.encoded(), pair.meta()) for pair in pairs]
        info: dict[str, Any] = {
            "places": len(pairs) + len(left_out),
            "empty_places": left_out,
            "rejects": dict(Counter({"by hand": len(left_out)})) if left_out else {},
            "seed": self.seed,
            "cut": asdict(cutting),
        }
        with tempfile.TemporaryDirectory(prefix="diffusionseg-set-") as place:
            folder, out = Path(place, "pairs"), Path(place, "export")
            folder.mkdir()
            write_shard(folder, 0, samples, info)
            if format is None:
                contact_sheet(samples).save(folder / "preview.png")
                return archive(files_in(folder))
            write_manifest(folder, {"set": {"classes": list(self.class_names)}})
            write_export(folder, out, ExportConfig(format, photographs="copy"))
            # It says where this temporary folder lay.
            (out / MARK).unlink()
            return archive(files_in(out))

    def maps(self, number: int) -> Any:
        """The chosen attention of an image."""
        if self.cutting is None:
            raise Refused(404, "there is no image yet")
        return chosen_maps(self.drawings[number], self.cutting.readings, self.cutting.blocks)

    def _cut(self, drawing: Drawing, cutting: Cutting) -> SyntheticPair:
        cut = replace(self.config.cut, smoothness=cutting.smoothness, sigma=cutting.sigma, refine=cutting.refine)
        maps = chosen_maps(drawing, cutting.readings, cutting.blocks)
        return cut_drawing(drawing, maps, replace(self.config, cut=cut))


def chosen(values: object, names: Collection[str]) -> list[str]:
    """Those of a visitor's values that there are."""
    return [value for value in values if value in names] if isinstance(values, list) else []
