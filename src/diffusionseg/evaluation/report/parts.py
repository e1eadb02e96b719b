"""Parts of the page that masks and boxes share: numbers, paired test, breakdown, captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from diffusionseg.evaluation.protocols import PROTOCOLS
from diffusionseg.evaluation.report.html_table import html_table
from diffusionseg.evaluation.report.page import definitions, paragraph, section
from diffusionseg.evaluation.report.tables import TITLES, ResultRow, cell_tables

LOST = "CorLoc: the best box of an image hits with an IoU of at least 0.5 with any object; every image counts"
FIELDS = {"f": "Fβ", "corloc": "CorLoc", "iou": "IoU", "acc": "Acc", "mae": "MAE"}
"""Columns of a breakdown as printed."""


def facts(values: Mapping[str, Any], undecided: str | None = None) -> str:
    """What a reader needs beside the numbers: images, what was not as it should be, intervals."""
    missing = values["missing"]
    said = [f"{values['images']} images", "all predicted" if not missing else f"{missing} not predicted: nothing found"]
    if values.get("resized"):
        said.append(f"{values['resized']} predictions resized to their ground truth")
    if undecided is not None:
        said.append(f"undecided pixels of the ground truth: {undecided}")
    if intervals := values.get("intervals"):
        said.append(
            f"in brackets {intervals['level']:.0%} intervals of a bootstrap over images, {intervals['replicates']} "
            f"replicates, seed {intervals['seed']}"
        )
    return "; ".join(said) + "."


def protocols(rows: Sequence[ResultRow]) -> dict[str, str]:
    """Every protocol of the rows in few words."""
    names = dict.fromkeys(row.protocol for row in rows)
    return {name: PROTOCOLS[name].summary() if name in PROTOCOLS else LOST for name in names}


def caption(values: Mapping[str, Any], rows: Sequence[ResultRow], undecided: str | None = None) -> str:
    """Facts and protocols, for tables without a page around them."""
    said = "; ".join(f"{name}: {definition}" for name, definition in protocols(rows).items())
    return f"{facts(values, undecided)} Protocols: {said}."


def numbers(rows: Sequence[ResultRow], values: Mapping[str, Any], undecided: str | None = None) -> str:
    """The numbers, wide tables turned on their side, and what a reader needs beside them."""
    tables = []
    for head, body in cell_tables(rows):
        if len(head) <= 5:
            tables.append(html_table(head[1:], [cells[1:] for cells in body], "Means over images"))
            continue
        for _, protocol, *cells in body:
            lines = [[name, protocol, cell] for name, cell in zip(head[2:], cells, strict=True)]
            tables.append(html_table(["measure", "protocol", "value"], lines, "Further measures", texts=2))
    return section("Numbers", paragraph(facts(values, undecided)), *tables, definitions(protocols(rows)))


def paired(values: Mapping[str, Any]) -> str:
    """The paired test with another method's predictions, nothing without one."""
    against = values.get("against")
    if against is None:
        return ""
    further = values.get("measures", {}).get("protocol")
    lines = [
        [
            TITLES.get(name, name),
            further if group == "measures" else group,
            f"{m['value']:.4f}",
            f"{m['difference']:+.4f} [{m['interval'][0]:+.4f}, {m['interval'][1]:+.4f}]",
            f"{m['p']:.3f}",
        ]
        for group, measures in against.items()
        if group != "predictions"
        for name, m in measures.items()
    ]
    said = f"This method less the other, {against['predictions']}"
    head = ["measure", "protocol", "the other", "difference", "p"]
    return section("Against another method", html_table(head, lines, said, texts=2))


def broken_down(values: Mapping[str, Any], whole: Mapping[str, float], said: str) -> str:
    """Tables of the breakdown; `whole` are the means over all images, `said` what the measures are."""
    kinds = {"share": "Share of the image that is object", "border": "Object at the border of the image"}
    protocol, tables = values["breakdown"]["protocol"], []
    for kind, title in kinds.items():
        groups = [*values["breakdown"][kind], {"group": "all", "images": values["images"], **whole}]
        lines = [[g["group"], str(g["images"]), *(f"{g[m]:.4f}" for m in whole)] for g in groups]
        head = ["group", "images", *(FIELDS[m] for m in whole)]
        tables.append(html_table(head, lines, f"{title} (protocol {protocol})"))
    return section("By size and border", *tables, paragraph(said))
