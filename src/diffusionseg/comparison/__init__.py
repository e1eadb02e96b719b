"""Several methods over one data set, and one table of how good and how quick they are."""

from diffusionseg.comparison.config import CompareConfig, ModelSource
from diffusionseg.comparison.run import compare
from diffusionseg.comparison.table import Comparison, Row, latex, markdown

__all__ = ["CompareConfig", "Comparison", "ModelSource", "Row", "compare", "latex", "markdown"]
