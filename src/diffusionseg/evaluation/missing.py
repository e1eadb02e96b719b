"""Images without a prediction: refused by name, or counted."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path


class MissingPredictions(ValueError):
    """A mean over fewer images is another number: not every image of the ground truth has a prediction."""


def refuse_missing(missing: Sequence[str], images: int, predictions: Path, allow_missing: bool) -> None:
    """Raise MissingPredictions where images are missing and may not be."""
    if missing and not allow_missing:
        raise MissingPredictions(
            f"{predictions}: {len(missing)} of {images} images have no prediction ({', '.join(missing[:5])}"
            f"{' …' if len(missing) > 5 else ''}); {_remedy(missing, images, predictions)}"
        )


def _remedy(missing: Sequence[str], images: int, predictions: Path) -> str:
    """Predictions of a list of absolute paths lie under the whole path of each."""
    if len(missing) == images and predictions.is_dir():
        deeper = next(predictions.glob(f"*/**/{glob.escape(missing[0])}*.png"), None)
        if deeper is not None:
            return f"they seem to lie deeper, in --pred {deeper.parents[missing[0].count('/')]}"
    return "predict them, or count them as misses with --allow-missing"
