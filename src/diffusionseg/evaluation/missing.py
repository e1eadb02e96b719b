"""Images without a prediction: refused by name, or counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class MissingPredictions(ValueError):
    """A mean over fewer images is another number: not every image of the ground truth has a prediction."""


def refuse_missing(missing: Sequence[str], images: int, predictions: Path, allow_missing: bool, hint: str = "") -> None:
    """Raise MissingPredictions where images are missing and may not be; `hint` ends the message."""
    if missing and not allow_missing:
        raise MissingPredictions(
            f"{predictions}: {len(missing)} of {images} images have no prediction ({', '.join(missing[:5])}"
            f"{' …' if len(missing) > 5 else ''}); predict them, or count them as misses with --allow-missing{hint}"
        )
