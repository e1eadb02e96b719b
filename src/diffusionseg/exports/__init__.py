"""Predictions, sets and data sets in the formats of other tools. Knows no model."""

from diffusionseg.exports.config import FORMATS, ExportConfig
from diffusionseg.exports.run import ExportSummary, export

__all__ = ["FORMATS", "ExportConfig", "ExportSummary", "export"]
