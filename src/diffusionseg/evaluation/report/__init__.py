"""A self-contained page and tables of an evaluation."""

from diffusionseg.evaluation.report.box_report import report_boxes
from diffusionseg.evaluation.report.breakdown import breakdown
from diffusionseg.evaluation.report.folder import FILES
from diffusionseg.evaluation.report.saliency_report import report_saliency
from diffusionseg.evaluation.report.tables import (
    Measure,
    ResultRow,
    latex_tables,
    latex_tabular,
    markdown_table,
    markdown_tables,
    result_rows,
)

__all__ = [
    "FILES",
    "Measure",
    "ResultRow",
    "breakdown",
    "latex_tables",
    "latex_tabular",
    "markdown_table",
    "markdown_tables",
    "report_boxes",
    "report_saliency",
    "result_rows",
]
