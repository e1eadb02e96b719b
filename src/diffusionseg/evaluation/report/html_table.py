"""A table of plain text as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def html_table(head: Sequence[str], body: Sequence[Sequence[str]], caption: str, texts: int = 1) -> str:
    """The table; the first cell of a row names it, the first `texts` are words. It scrolls where it is too wide.

    The interval behind a number may go to a line of its own.
    """
    heads = "".join(f'<th{_words(n, texts)} scope="col">{escape(cell)}</th>' for n, cell in enumerate(head))
    rows = "\n".join(_row(cells, texts) for cells in body)
    return (
        f'<div class="wide" tabindex="0"><table>\n<caption><span>{escape(caption)}</span></caption>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>\n"
    )


def _row(cells: Sequence[str], texts: int) -> str:
    rest = "".join(f"<td{_words(n, texts)}>{_cell(cell)}</td>" for n, cell in enumerate(cells[1:], 1))
    return f'<tr><th scope="row">{escape(cells[0])}</th>{rest}</tr>'


def _cell(text: str) -> str:
    number, bracket, interval = text.partition(" [")
    return f"{escape(number)} <span>[{escape(interval)}</span>" if bracket else escape(text)


def _words(column: int, texts: int) -> str:
    return ' class="text"' if column < texts else ""
