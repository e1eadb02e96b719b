"""Label photographs and write the confident ones as shards, resuming where an earlier run ended."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffusionseg.attentioncut import cut_stability, refine_by_colour, small_cut
from diffusionseg.data import (
    ImageError,
    ManifestMismatch,
    Sample,
    Store,
    Where,
    check_manifest,
    holds_shards,
    open_store,
    read_manifest,
    read_sidecars,
    remove_set,
    shard_done,
    shard_name,
    write_manifest,
    write_shard,
)
from diffusionseg.evaluation import mask_iou
from diffusionseg.exploitation import DiffusionSeg
from diffusionseg.masks import mask_boxes, saliency_picture
from diffusionseg.prediction import PredictConfig, Prediction, Segmenter
from diffusionseg.prediction.settings import to_json
from diffusionseg.pseudolabels.config import PseudolabelConfig
from diffusionseg.pseudolabels.photos import Photo, PhotoList
from diffusionseg.synthesis.gate import measure, reject_reason
from diffusionseg.synthesis.preview import write_preview

Outcome = tuple[Sample | None, str]
"""A pair, or None and why there is none."""


@dataclass(frozen=True)
class PseudolabelSummary:
    """What a set holds."""

    samples: int
    """Photographs kept as pairs."""
    photographs: int
    """Photographs looked at."""
    rejects: dict[str, int]
    """Photographs left out, by reason."""
    unreadable: tuple[str, ...]
    """Name and reason of each that could not be read."""


def pseudolabel(
    model: Segmenter,
    sources: Sequence[Path],
    out: Where,
    *,
    count: int | None = None,
    seed: int = 0,
    config: PseudolabelConfig | None = None,
    batch_size: int = 8,
    shard_size: int = 256,
    overwrite: bool = False,
    report: Callable[[int, int], None] = lambda *_: None,
    ended: Callable[[str], None] = lambda _: None,
) -> PseudolabelSummary:
    """Label the photographs of folders, files and Parquet files (column `image`) and write pairs to `out`,
    a folder or an fsspec URL.

    The decoder's saliency is cut along the photograph's colours and edges (`refine_by_colour`); what both agree on,
    away from the border and neither tiny nor huge, becomes a pair in the form that `train` reads. `count` looks at a
    random choice of this many, drawn by `seed`. Finished shards are kept, unless `overwrite`, and missing ones get the
    bytes they would have had, with one `batch_size` on one device. `report` is called with the number of photographs
    just dealt with and of all, `ended` with the name of every shard made. Raises ManifestMismatch, naming what differs,
    when `out` holds another set, and ValueError naming a source that cannot be used.
    """
    config = config or PseudolabelConfig()
    config = replace(config, cut=config.cut or model.predict_config.cut)
    store = open_store(out)
    if store.local is not None and any(s.is_dir() and s.resolve() == store.local.resolve() for s in sources):
        raise ValueError(f"--out {out} is the folder of the photographs; the files written would become photographs")
    photos = PhotoList(sources, count, seed, exclude=[] if store.local is None else [store.local])
    described = {
        "model": model.names(),
        **_reading(model),
        "sources": {"sha256": photos.sha256, "photographs": len(photos), "seed": seed},
        "shard_size": shard_size,
        "config": asdict(config),
    }
    _claim(store, described, overwrite)
    waiting = iter(photos)
    for number, start in enumerate(range(0, len(photos), shard_size)):
        group = list(islice(waiting, shard_size))
        if shard_done(store, number):
            report(len(group), len(photos))
            continue
        places = range(start, start + len(group))
        outcomes: list[Outcome] = []
        for outcome in _label(model, group, places, config, batch_size):
            outcomes.append(outcome)
            report(1, len(photos))
        _write(store, number, group, outcomes)
        ended(shard_name(number))
    summary = _summarise(store, -(-len(photos) // shard_size), len(photos))
    write_manifest(store, {**read_manifest(store), "result": asdict(summary)})
    write_preview(store)
    return summary


def _claim(out: Store, described: dict[str, Any], overwrite: bool) -> None:
    """Record what the set is; raise ManifestMismatch where `out` holds another one."""
    if overwrite:
        remove_set(out)
    if out.has("manifest.json"):
        check_manifest(read_manifest(out).get("set", {}), described, out)
    elif holds_shards(out):
        raise ManifestMismatch(f"{out}: holds shards but no manifest.json; choose another --out, or --overwrite")
    else:
        made_with = {name: version(name) for name in ("diffusionseg", "torch", "diffusers", "numpy", "scipy", "pillow")}
        write_manifest(out, {"format": 1, "kind": "pseudolabels", "set": described, "made_with": made_with})


def _reading(model: Segmenter) -> dict[str, Any]:
    """How photographs are read, besides the weights that `names` tells of and the cut that is in the set's config."""
    predict = to_json(_uncut(model))
    del predict["cut"]
    if not isinstance(model, DiffusionSeg):
        return {"predict": predict}
    return {"predict": predict, "features": to_json(model.feature_config), "dtype": model.backbone.dtype_name}


def _uncut(model: Segmenter) -> PredictConfig:
    """Not cut yet: what the decoder itself found is what the cut has to agree with."""
    return replace(model.predict_config, refine="guided")


def _label(
    model: Segmenter, group: Sequence[Photo], places: Sequence[int], config: PseudolabelConfig, batch_size: int
) -> Iterator[Outcome]:
    inputs = ((n, photo.content) for n, photo in enumerate(group))
    # A shard's bytes depend on what goes through the generator together.
    for number, outcome in model.predict_iter(inputs, batch_size, _uncut(model), fixed_batches=True):
        if isinstance(outcome, ImageError):
            yield None, f"unreadable: {group[number].name}: {outcome.reason}"
        else:
            yield label(group[number].name, places[number], *outcome, config)


def label(
    name: str, place: int, photo: Image.Image, prediction: Prediction, config: PseudolabelConfig | None = None
) -> Outcome:
    """The pair of one photograph and its prediction, not refined by the cut, or the reason why it is left out."""
    config = config or PseudolabelConfig()
    image, saliency = np.asarray(photo), prediction.saliency
    cut = small_cut(image, saliency, config.cut)
    found = refine_by_colour(image, saliency, config.cut, cut) > 0.5
    quality = measure(np.where(found, np.uint8(255), np.uint8(0)), mask_iou(found, prediction.mask), 1.0)
    reason = reject_reason(quality, config.gate)
    if reason is not None:
        return None, reason
    least = config.min_stability
    if least and cut_stability(image, saliency, cut, config.cut, least) < least:
        return None, "unstable"
    boxes, _ = mask_boxes(found)
    meta = {"class": "", "source": name, "box": boxes[0], "size": list(photo.size), "quality": asdict(quality)}
    return Sample(place, _encoded(photo, found, saliency, config.max_side), meta), ""


def _encoded(
    photo: Image.Image, mask: NDArray[np.bool_], saliency: NDArray[np.float32], max_side: int
) -> dict[str, bytes]:
    factor = min(1.0, max_side / max(photo.size))
    size = (max(8, round(photo.width * factor)), max(8, round(photo.height * factor)))
    label_picture = Image.fromarray(mask.astype(np.uint8) * np.uint8(255))
    return {
        "jpg": _bytes(photo.resize(size, Image.Resampling.LANCZOS), "JPEG", quality=95, subsampling=0),
        "mask.png": _bytes(label_picture.resize(size, Image.Resampling.NEAREST), "PNG", optimize=True),
        "attention.png": _bytes(saliency_picture(saliency).resize((64, 64), Image.Resampling.BOX), "PNG"),
    }


def _bytes(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _write(out: Store, number: int, group: Sequence[Photo], outcomes: Sequence[Outcome]) -> None:
    unreadable = [reason.removeprefix("unreadable: ") for _, reason in outcomes if reason.startswith("unreadable: ")]
    rejects = Counter(reason.partition(":")[0] for _, reason in outcomes if reason)
    info = {"photographs": len(group), "rejects": dict(rejects), "unreadable": unreadable}
    write_shard(out, number, [sample for sample, _ in outcomes if sample is not None], info)


def _summarise(out: Store, shards: int, photographs: int) -> PseudolabelSummary:
    sidecars = read_sidecars(out, range(shards))
    rejects: Counter[str] = Counter()
    for sidecar in sidecars:
        rejects.update(sidecar["rejects"])
    return PseudolabelSummary(
        samples=sum(s["samples"] for s in sidecars),
        photographs=photographs,
        rejects=dict(sorted(rejects.items())),
        unreadable=tuple(name for s in sidecars for name in s["unreadable"]),
    )
