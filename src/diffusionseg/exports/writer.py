"""What all writers of formats have in common."""

from __future__ import annotations

import hashlib
import io
from abc import ABC, abstractmethod
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, TextIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffusionseg.exports.config import ExportConfig
from diffusionseg.exports.items import ClassNames, Item


class Writer(ABC):
    """Writes images one by one below a folder that is nobody else's."""

    any_name = False
    """Whether names of files that are not UTF-8 can be written, too."""

    def __init__(self, root: Path, config: ExportConfig, classes: ClassNames) -> None:
        self.root, self.config, self.classes = root, config, classes
        self.files = ExitStack()
        """Files that stay open until the end."""
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.files.close()

    def start(self) -> None:  # noqa: B027 - most formats have none
        """Open what is written to all along."""

    @abstractmethod
    def add(self, item: Item) -> int:
        """Write an image; the number of its objects. Raises ImageError, and has then written nothing of it."""

    def finish(self) -> None:  # noqa: B027 - some formats need nothing
        """Write what needs all images to be known."""

    def open(self, name: str) -> TextIO:
        """A new text file below the folder."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return self.files.enter_context(path.open("w+", encoding="utf-8", newline="\n"))

    def save(self, name: str, picture: Image.Image) -> None:
        """Write a PNG below the folder."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(picture))


class JsonList:
    """A JSON array that is written element by element."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._first = file, True

    def add(self, text: str) -> None:
        """Append an element that is JSON already."""
        self._file.write(f"{'' if self._first else ','}\n{text}")
        self._first = False


def png(picture: Image.Image) -> bytes:
    """The picture as PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def label_picture(labels: NDArray[Any], palette: NDArray[np.uint8]) -> Image.Image:
    """A picture of labels (H, W) 0 … 255 with a palette of 256 colours (256, 3)."""
    picture = Image.fromarray(labels.astype(np.uint8))
    picture.putpalette(palette.tobytes())
    return picture


def in_validation(name: str, share: float) -> bool:
    """Whether an image belongs to the validation list: by its name alone, so that it stays there in a larger export."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) < share * 2**64
