"""Captioned photographs from which an encoder is to learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffusionseg.cli import console

if TYPE_CHECKING:
    from diffusionseg.pretraining import Photos
    from diffusionseg.recognition import EncoderConfig


def learnable(photos: Photos, config: EncoderConfig) -> Photos:
    """Those of classes that have enough photographs; tells how many others are left out."""
    from diffusionseg.recognition import of_frequent_classes

    kept = of_frequent_classes(photos, config.fewest)
    classes = len(photos.names) - len(kept.names)
    if classes:
        console.note(
            f"left out: {len(photos) - len(kept)} captioned photographs, since their {classes} classes have fewer than "
            f"{config.fewest}"
        )
    return kept
