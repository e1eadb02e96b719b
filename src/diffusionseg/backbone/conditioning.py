"""What the U-Net is told about each image of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Conditioning:
    """Text conditioning of a batch, with the positions of each class name in its prompt."""

    embeddings: Tensor
    """Token embeddings, shape (B, L, D), on the generator's device and in its number format."""

    pooled: Tensor | None
    """Pooled prompt embeddings, shape (B, P), of two-encoder (SDXL) generators; else None."""

    spans: tuple[tuple[int, ...], ...]
    """For each row the token positions (0 … L-1, ascending) of the class name; empty where none was given."""

    def __post_init__(self) -> None:
        if self.embeddings.ndim != 3:
            raise ValueError(f"embeddings must be (B, L, D), not {tuple(self.embeddings.shape)}")
        if len(self.spans) != len(self.embeddings):
            raise ValueError(f"spans has {len(self.spans)} rows, embeddings {len(self.embeddings)}")
        if self.pooled is not None and len(self.pooled) != len(self.embeddings):
            raise ValueError(f"pooled has {len(self.pooled)} rows, embeddings {len(self.embeddings)}")

    def __len__(self) -> int:
        return len(self.embeddings)

    @staticmethod
    def concat(parts: Sequence[Conditioning]) -> Conditioning:
        """Stack batches in order, as classifier-free guidance does with the empty and the class prompts."""
        if not parts:
            raise ValueError("concat needs at least one conditioning")
        pooled = [part.pooled for part in parts if part.pooled is not None]
        if pooled and len(pooled) != len(parts):
            raise ValueError("cannot concat conditionings of which only some have pooled embeddings")
        return Conditioning(
            embeddings=torch.cat([part.embeddings for part in parts]),
            pooled=torch.cat(pooled) if pooled else None,
            spans=tuple(span for part in parts for span in part.spans),
        )

    def select(self, indices: Sequence[int]) -> Conditioning:
        """The rows `indices`, in that order; rows may repeat."""
        rows = list(indices)
        return Conditioning(
            embeddings=self.embeddings[rows],
            pooled=None if self.pooled is None else self.pooled[rows],
            spans=tuple(self.spans[row] for row in rows),
        )
