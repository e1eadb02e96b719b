"""The folder of a report: nothing but an earlier report is written over."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from diffusionseg.data import atomic_write
from diffusionseg.evaluation.report.tables import ResultRow, latex_tables, markdown_tables

PAGE = "report.html"
FILES = (PAGE, "results.json", "images.jsonl", "table.md", "table.tex")
"""What a report consists of."""
MARK = '<meta name="generator" content="diffusionseg eval'
"""How the page of a report is known."""


def claim(out: Path, overwrite: bool) -> None:
    """Raise ValueError where `out` holds anything but an earlier report, unless it may be written over."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out}: is no folder; choose another --report")
    others = sorted(path.name for path in out.iterdir() if path.name not in FILES) if out.exists() else []
    page = out / PAGE
    ours = not any((out / name).exists() for name in FILES) or (page.is_file() and _marked(page))
    if (others or not ours) and not overwrite:
        held = ", ".join(others[:5]) or "files of the same names"
        raise ValueError(f"{out}: holds {held}, no report of eval; choose another --report, or --overwrite")


def write(
    out: Path,
    page: bytes,
    values: Mapping[str, Any],
    records: Iterable[Mapping[str, Any]],
    rows: Sequence[ResultRow],
    caption: str,
) -> None:
    """Write a report: its page, the results, a line for the record of each image, and the tables of the rows.

    The page comes first, since by it an interrupted report is known as one.
    """
    lines = "".join(f"{json.dumps(record)}\n" for record in records)
    tables = markdown_tables(rows, caption), latex_tables(rows, caption)
    texts = (json.dumps(values, indent=1) + "\n", lines, *tables)
    for name, content in zip(FILES, (page, *(text.encode(errors="replace") for text in texts)), strict=True):
        atomic_write(out / name, content)


def _marked(page: Path) -> bool:
    with page.open("rb") as file:
        return MARK.encode() in file.read(2000)
