"""The report of an evaluation against masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from diffusionseg.data import ImageError, find_masks
from diffusionseg.evaluation.folders import evaluate_saliency, prediction_of
from diffusionseg.evaluation.pairs import MaskPair
from diffusionseg.evaluation.protocols import PROTOCOLS, SaliencyProtocol
from diffusionseg.evaluation.records import ImageRecord
from diffusionseg.evaluation.report.breakdown import breakdown
from diffusionseg.evaluation.report.drawing import f_svg, iou_svg, precision_recall_svg
from diffusionseg.evaluation.report.folder import claim, write
from diffusionseg.evaluation.report.gallery import Views, best_median_worst, mask_views
from diffusionseg.evaluation.report.page import figures, gallery, page_html, paragraph, section
from diffusionseg.evaluation.report.parts import broken_down, caption, numbers, paired
from diffusionseg.evaluation.report.photographs import photographs_of_masks
from diffusionseg.evaluation.report.tables import result_rows

MEASURES = {"iou": "iou", "acc": "acc", "f": "pooled_f", "mae": "mae"}
"""What is broken down, and the field of a record that it is the mean of."""


def report_saliency(
    predictions: Path,
    masks: Path,
    out: Path,
    *,
    images: Path | None = None,
    overwrite: bool = False,
    split: str | None = None,
    undecided: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """`evaluate_saliency`, with `curves` and `breakdown` in its results, and its report in the folder `out`.

    Photographs are taken from `images`, else from the data set at `masks` if it has any. Raises ValueError where `out`
    holds something else than an earlier report and not `overwrite`, and what `evaluate_saliency` raises.
    """
    claim(out, overwrite)
    photographs = photographs_of_masks(masks, images, split)
    records: list[ImageRecord] = []
    values = evaluate_saliency(
        predictions, masks, split=split, undecided=undecided, curves=True, record=records.append, **options
    )
    protocol = PROTOCOLS[values["protocol"]]
    values["breakdown"] = {"protocol": protocol.name, **breakdown(records, MEASURES)}
    rows = result_rows(values, predictions.resolve().name)
    text = caption(values, rows, undecided)
    pairs = {stem: MaskPair(stem, path, prediction_of(predictions, stem)) for stem, path in find_masks(masks, split)}
    body = [
        numbers(rows, values, undecided),
        paired(values),
        _curves(values, records, protocol),
        _breakdown(values, records, protocol),
        *_galleries(records, pairs, photographs, protocol, undecided),
    ]
    page = page_html(f"Evaluation of {rows[0].method} on {len(records)} images", "".join(body))
    write(out, page, values, ({"protocol": protocol.name, **asdict(r)} for r in records), rows, text)
    return values


def _curves(values: Mapping[str, Any], records: Sequence[ImageRecord], protocol: SaliencyProtocol) -> str:
    curves, iou = values["curves"], [record.iou for record in records]
    drawn = [
        (precision_recall_svg(curves), f"mean precision over mean recall, protocol {protocol.name}"),
        (f_svg(curves), f"mean F over the threshold of saliency, protocol {protocol.name}"),
        (iou_svg(iou, protocol.name), f"histogram of the images' IoU, protocol {protocol.name}"),
    ]
    said = "Precision, recall and F are averaged over images at each threshold."
    if not protocol.soft:
        said = f"Protocol {protocol.name} measures masks: there is one point instead of curves."
    elif protocol.averaging == "mean_of_max":
        said += f" The maxFβ of {protocol.name} takes every image at its own best threshold; it lies above this curve."
    return section("Curves", figures(drawn), paragraph(said))


def _breakdown(values: Mapping[str, Any], records: Sequence[ImageRecord], protocol: SaliencyProtocol) -> str:
    mae = sum(record.mae for record in records) / len(records)
    whole = {"iou": values["iou"], "acc": values["acc"], "f": values["max_f"], "mae": mae}
    at = "at the threshold that is best for all images together"
    if protocol.averaging == "mean_of_max":
        at = "of each image at its own best threshold" if protocol.soft else "of the masks"
    return broken_down(values, whole, f"Fβ is that {at}; MAE is of saliency as the protocol takes it.")


def _galleries(
    records: Sequence[ImageRecord],
    pairs: Mapping[str, MaskPair],
    photographs: Mapping[str, Path],
    protocol: SaliencyProtocol,
    undecided: str | None,
) -> list[str]:
    chosen = best_median_worst(sorted(records, key=lambda record: (-record.iou, record.stem)))
    said = "The mask is that of Acc and IoU; the box is that of its largest part."
    if not any(record.stem in photographs for group in chosen.values() for record in group):
        said += (
            " There are no photographs to show, so the mask lies on the saliency; give their folder with --images, or"
            " the root of the data set with --masks."
        )
    parts = [section("Images", paragraph(said))]
    for kind, group in chosen.items():
        shown = [_shown(r, pairs[r.stem], photographs.get(r.stem), protocol, undecided) for r in group]
        if shown:
            parts.append(section(f"{kind.capitalize()} by IoU", gallery(shown), level=3))
    return parts


def _shown(
    record: ImageRecord, pair: MaskPair, photograph: Path | None, protocol: SaliencyProtocol, undecided: str | None
) -> tuple[str, str, Views]:
    said = f"IoU {record.iou:.4f} ({protocol.name}), object {record.share:.1%} of the image"
    try:
        return record.stem, said, mask_views(pair, photograph, protocol, undecided)
    except ImageError as error:
        # Masks and predictions were read before.
        return record.stem, f"{said}; photograph {error.reason}", mask_views(pair, None, protocol, undecided)
