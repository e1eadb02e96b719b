"""The table of a comparison, as values, Markdown and LaTeX."""

from __future__ import annotations

from dataclasses import dataclass

from diffusionseg.evaluation.protocols import saliency_protocol
from diffusionseg.evaluation.report import latex_tabular, markdown_table

COLUMNS = ("method", "refinement", "Acc", "IoU", "95 %", "maxFβ", "seconds", "reading")


@dataclass(frozen=True)
class Row:
    """One method with one refinement."""

    method: str
    """Name in `METHODS`."""
    title: str
    """As printed."""
    refinement: str
    """Name in `REFINEMENTS`."""
    acc: float
    """Accuracy, 0 to 1."""
    iou: float
    """Intersection over union, 0 to 1."""
    max_f: float
    """maxFβ, 0 to 1."""
    intervals: dict[str, tuple[float, float]]
    """95 % interval of `acc`, `iou` and `max_f`."""
    seconds: float
    """Mean seconds a photograph, from the picture in memory to the refined saliency: on a CPU those of one core."""
    reading_seconds: float
    """What of it the generator took to read the photograph. Methods that read the same share it in a comparison, but
    each is charged with all of it, as if it were alone."""

    def cells(self) -> tuple[str, ...]:
        """As printed, one for each of COLUMNS."""
        low, high = self.intervals["iou"]
        numbers = (f"{self.acc:.3f}", f"{self.iou:.3f}", f"{low:.3f}–{high:.3f}", f"{self.max_f:.3f}")
        return (self.title, self.refinement, *numbers, f"{self.seconds:.2f}", f"{self.reading_seconds:.2f}")


@dataclass(frozen=True)
class Comparison:
    """All rows and what they were measured on."""

    rows: tuple[Row, ...]
    """In the order of methods and refinements; empty where no photograph could be used."""
    photographs: int
    """Photographs measured, the same in every row."""
    errors: tuple[tuple[str, str], ...]
    """(photograph, reason) of each that is in no row."""
    protocol: str
    """Definition of the measures."""
    made_with: str
    """Data set, word, decoder and generator."""

    def caption(self) -> str:
        """What a reader needs to know beside the numbers."""
        failed = f", {len(self.errors)} more could not be used" if self.errors else ""
        return (
            f"{self.photographs} photographs{failed}; protocol {self.protocol} "
            f"({saliency_protocol(self.protocol).summary()}); 95 % intervals of IoU by the Poisson bootstrap over "
            f"photographs; seconds a photograph (of one core), and what of them the generator reads; {self.made_with}."
        )


def markdown(comparison: Comparison) -> str:
    """The table as Markdown, caption below."""
    return f"{markdown_table(COLUMNS, [row.cells() for row in comparison.rows])}\n\n{comparison.caption()}\n"


def latex(comparison: Comparison) -> str:
    """The table as a LaTeX `tabular` between rules of booktabs, caption as a comment above."""
    return f"% {comparison.caption()}\n{latex_tabular(COLUMNS, [row.cells() for row in comparison.rows])}"
