"""Curves and histograms as SVG, the same bytes for the same numbers."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (4.5, 3.2)
"""Width and height in inches; text is legible at the width of a telephone."""
BINS = 20
"""Bins of IoU from 0 to 1."""
BLUE, RED = "#1f6fb2", "#c0392b"


def precision_recall_svg(curves: Mapping[str, Any]) -> bytes:
    """SVG of mean precision over mean recall, of `curves` as in the results."""
    figure, axes = _figure("recall", "precision", curves["protocol"])
    axes.plot(curves["recall"], curves["precision"], color=BLUE, marker=_marker(curves["recall"]))
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    return _svg(figure)


def f_svg(curves: Mapping[str, Any]) -> bytes:
    """SVG of mean F over the threshold, its maximum marked."""
    figure, axes = _figure("threshold of saliency", "mean Fβ", curves["protocol"])
    best = int(np.argmax(curves["f"]))
    axes.plot(curves["thresholds"], curves["f"], color=BLUE)
    x, y = curves["thresholds"][best], curves["f"][best]
    axes.plot([x], [y], color=RED, marker="o", linestyle="", label=f"{y:.4f} at {x:.3f}")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(frameon=False, loc="lower left")
    return _svg(figure)


def iou_svg(iou: Sequence[float], protocol: str, least: float | None = None) -> bytes:
    """SVG of the histogram of the images' IoU with mean and median, and a line at the least one that is a hit."""
    figure, axes = _figure("IoU of an image", "images", protocol)
    counts, _, _ = axes.hist(iou, bins=BINS, range=(0, 1), color=BLUE, alpha=0.75)
    mean, median = float(np.mean(iou)), float(np.median(iou))
    axes.axvline(mean, color=RED, label=f"mean {mean:.4f}")
    axes.axvline(median, color=RED, linestyle="--", label=f"median {median:.4f}")
    if least is not None:
        axes.axvline(least, color="black", linestyle=":", label=f"hit from {least:g}")
    # The legend stands above the bars.
    axes.set(xlim=(0, 1), ylim=(0, 1.4 * np.max(counts)))
    axes.locator_params(axis="y", integer=True)
    axes.legend(frameon=False, loc="upper left")
    return _svg(figure)


def _marker(points: Sequence[float]) -> str:
    # A line of one point would not be seen.
    return "o" if len(points) == 1 else ""


def _figure(x: str, y: str, protocol: str) -> tuple[Any, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=x, ylabel=y)
    axes.set_title(f"protocol {protocol}", fontsize=10)
    axes.grid(alpha=0.3)
    return figure, axes


def _svg(figure: Any) -> bytes:
    import matplotlib as mpl

    buffer = io.BytesIO()
    # Neither time nor chance goes into the file.
    with mpl.rc_context({"svg.hashsalt": "diffusionseg", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
