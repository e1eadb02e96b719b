"""The report of an evaluation against boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from diffusionseg.data import ImageError
from diffusionseg.evaluation.box_folders import evaluate_boxes
from diffusionseg.evaluation.box_records import BoxRecord
from diffusionseg.evaluation.corloc import MIN_IOU
from diffusionseg.evaluation.report.breakdown import breakdown
from diffusionseg.evaluation.report.drawing import iou_svg
from diffusionseg.evaluation.report.folder import claim, write
from diffusionseg.evaluation.report.gallery import Views, box_views, spread
from diffusionseg.evaluation.report.page import figures, gallery, page_html, paragraph, section
from diffusionseg.evaluation.report.parts import broken_down, caption, numbers, paired
from diffusionseg.evaluation.report.photographs import photographs_of_boxes
from diffusionseg.evaluation.report.tables import result_rows

MEASURES = {"corloc": "hit", "iou": "iou"}
"""What is broken down, and the field of a record that it is the mean of."""


def report_boxes(
    predictions: Path,
    boxes: Path,
    out: Path,
    *,
    images: Path | None = None,
    overwrite: bool = False,
    split: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """`evaluate_boxes`, with `breakdown` in its results, and its report in the folder `out`.

    Photographs are taken from `images`, else from the data set at `boxes` if it has any; without them hits and misses
    are not shown. Raises ValueError as `report_saliency` does, and what `evaluate_boxes` raises.
    """
    claim(out, overwrite)
    photographs = photographs_of_boxes(boxes, images, split)
    records: list[BoxRecord] = []
    values = evaluate_boxes(predictions, boxes, split=split, record=records.append, **options)
    protocol, iou = values["protocol"], [record.iou for record in records]
    values["breakdown"] = {"protocol": protocol, **breakdown(records, MEASURES)}
    rows = result_rows(values, predictions.resolve().name)
    text = caption(values, rows)
    drawn = (iou_svg(iou, protocol, MIN_IOU), f"histogram of the images' IoU, protocol {protocol}")
    whole = {"corloc": values["corloc"], "iou": sum(iou) / len(iou)}
    said = "An image counts by its largest object's box; IoU is that with the object that the predicted box fits best."
    body = [
        numbers(rows, values),
        paired(values),
        section("Histogram", figures([drawn])),
        broken_down(values, whole, said),
        *_galleries(records, photographs, protocol),
    ]
    page = page_html(f"Evaluation of {rows[0].method} on {len(records)} images", "".join(body))
    write(out, page, values, ({"protocol": protocol, **asdict(r)} for r in records), rows, text)
    return values


def _galleries(records: Sequence[BoxRecord], photographs: Mapping[str, Path], protocol: str) -> list[str]:
    seen = sorted((r for r in records if r.image in photographs), key=lambda record: (-record.iou, record.image))
    if not seen:
        said = "There are no photographs to show hits and misses on; give their folder with --images."
        return [section("Images", paragraph(said))]
    said = "Boxes of objects are blue, the predicted one is orange. Images are of all ranks of IoU, the best first."
    parts = [section("Images", paragraph(said))]
    for kind, hit in (("Hits", True), ("Misses", False)):
        shown = [_shown(r, photographs[r.image], protocol) for r in spread([r for r in seen if r.hit is hit])]
        if shown:
            parts.append(section(kind, gallery(shown), level=3))
    return parts


def _shown(record: BoxRecord, photograph: Path, protocol: str) -> tuple[str, str, Views]:
    said = f"IoU {record.iou:.4f} ({protocol})" if record.box is not None else f"no box predicted ({protocol})"
    try:
        return record.image, said, box_views(record, photograph)
    except ImageError as error:
        return record.image, f"{said}; photograph {error.reason}", []
