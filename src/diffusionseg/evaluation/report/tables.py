"""Result rows as Markdown and LaTeX tables: method, protocol, measures with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TITLES = {"acc": "Acc", "iou": "IoU", "max_f": "maxFβ", "corloc": "CorLoc", "mae": "MAE", "miou": "mIoU"}
"""Measures as printed; others are printed by their name in the results."""
NONE = "–"
"""Cell of a measure that a row does not have."""
_TEX = {c: rf"\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "β": r"$_\beta$",
    "²": "$^2$",
    "⁴": "$^4$",
    "–": "--",
    ">": "$>$",
    "<": "$<$",
}


@dataclass(frozen=True)
class Measure:
    """One number."""

    value: float
    """As in the results."""
    interval: tuple[float, float] | None = None
    """Lower and upper end of its interval, None without one."""

    def __str__(self) -> str:
        ends = "" if self.interval is None else f" [{self.interval[0]:.4f}, {self.interval[1]:.4f}]"
        return f"{self.value:.4f}{ends}"


@dataclass(frozen=True)
class ResultRow:
    """Numbers of one method under one protocol."""

    method: str
    """Name of the method, or of the folder of its predictions."""
    protocol: str
    """Name of the definition."""
    measures: Mapping[str, Measure]
    """By their names in the results."""


def result_rows(values: Mapping[str, Any], method: str) -> list[ResultRow]:
    """Rows of the results of `evaluate_saliency` or `evaluate_boxes`, one for each protocol, then further measures."""
    groups = values.get("protocols", {values["protocol"]: values})
    rows = [ResultRow(method, protocol, _measures(numbers)) for protocol, numbers in groups.items()]
    if further := values.get("measures"):
        rows.append(ResultRow(method, further["protocol"], _measures(further)))
    return rows


def _measures(numbers: Mapping[str, Any]) -> dict[str, Measure]:
    ends = numbers.get("intervals", {})
    return {
        name: Measure(value, (ends[name][0], ends[name][1]) if name in ends else None)
        for name, value in numbers.items()
        if isinstance(value, float)
    }


def markdown_tables(rows: Sequence[ResultRow], caption: str) -> str:
    """Markdown: a table for all rows that have the same measures, and the caption below."""
    return "\n\n".join([*(markdown_table(*table) for table in cell_tables(rows)), _markdown(caption)]) + "\n"


def latex_tables(rows: Sequence[ResultRow], caption: str) -> str:
    """LaTeX: a `tabular` with the rules of booktabs for all rows of the same measures, and the caption as comment."""
    return f"% {' '.join(caption.split())}\n" + "\n".join(latex_tabular(*table) for table in cell_tables(rows))


def markdown_table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """One Markdown table of cells as text; the first two columns are words, the others numbers."""
    rule = ["---", "---", *["---:"] * (len(head) - 2)]
    return "\n".join(f"| {' | '.join(map(_markdown, cells))} |" for cells in (head, rule, *body))


def latex_tabular(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """One `tabular` between the rules of booktabs; the first two columns are words, the others numbers."""
    first, *lines = [f"{' & '.join(map(_latex, cells))} \\\\" for cells in (head, *body)]
    rules = rf"\begin{{tabular}}{{ll{'r' * (len(head) - 2)}}}", r"\toprule", first, r"\midrule"
    return "\n".join([*rules, *lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def cell_tables(rows: Sequence[ResultRow]) -> list[tuple[list[str], list[list[str]]]]:
    """(head, body) of cells as text, rows of the same measures together in the order of their first."""
    groups: dict[tuple[str, ...], list[ResultRow]] = {}
    for row in rows:
        groups.setdefault(tuple(row.measures), []).append(row)
    return [
        (
            ["method", "protocol", *(TITLES.get(name, name) for name in names)],
            [[row.method, row.protocol, *(str(row.measures[name]) for name in names)] for row in group],
        )
        for names, group in groups.items()
    ]


def _markdown(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\|<>&*_`" else c for c in " ".join(text.split()))


def _latex(text: str) -> str:
    return "".join(_TEX.get(c, c) for c in " ".join(text.split()))
