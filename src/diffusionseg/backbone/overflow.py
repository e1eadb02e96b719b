"""Numbers too large for a half format: what came out as no number is computed again in float32."""

from __future__ import annotations

import copy
import functools
import logging
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from diffusionseg.backbone.model import Backbone

logger = logging.getLogger(__name__)


def may_overflow(backbone: Backbone) -> bool:
    """Whether a generator computes in fewer than 32 bits."""
    return torch.finfo(backbone.dtype).bits < 32


def in_float32(backbone: Backbone) -> Backbone:
    """A copy on the same device that computes in float32 with the same weights; the user is told the first time.

    Made anew each time, since holding it would take twice the memory of the generator for the sake of a rare case.
    """
    _tell(backbone.name, backbone.dtype_name)
    other = copy.copy(backbone)
    other.unet, other.vae = copy.deepcopy(backbone.unet), copy.deepcopy(backbone.vae)
    other.text_encoders, other.tokenizers = copy.deepcopy(backbone.text_encoders), copy.deepcopy(backbone.tokenizers)
    return other.to(dtype=torch.float32)


@functools.cache
def _tell(name: str, dtype: str) -> None:
    logger.warning("%s gave no numbers in %s; what is concerned is computed again in float32", name, dtype)
