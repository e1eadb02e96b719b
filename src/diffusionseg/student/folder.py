"""A student's folder, which anybody may have made: its configuration, and the networks that it tells of."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusionseg.data import read_json_object
from diffusionseg.prediction import PredictConfig
from diffusionseg.prediction.settings import from_json

LARGEST_SIDE = 4096
"""Pixels beyond which a configuration is not believed."""
REMEDY = "copy or download it again, or run the same `diffusionseg distill` command again"


@dataclass(frozen=True)
class StudentFolder:
    """What a student's config.json says."""

    side: int
    """Side of its pictures in pixels, 1 to LARGEST_SIDE."""
    predict: PredictConfig
    """What it refines with."""
    digests: dict[str, str]
    """sha256 (hex) of its networks by file name."""
    content: dict[str, Any]
    """All of it."""


def read_folder(folder: Path) -> StudentFolder:
    """The configuration of a student. Raises ValueError naming its file where it is none."""
    path = folder / "config.json"
    if not path.is_file():
        raise ValueError(f"{folder}: has no config.json; expected a folder written by `diffusionseg distill`")
    content = read_json_object(path)
    try:
        side, files = content["student"]["side"], content["files"]
        if type(side) is not int or not 1 <= side <= LARGEST_SIDE or not isinstance(files, dict):
            raise ValueError(f"side {side!r}, files {files!r}")
        return StudentFolder(side, from_json(PredictConfig, content["predict"]), files, content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path}: not a student's configuration ({error!r})") from error


def read_network(path: Path, digests: dict[str, str]) -> bytes:
    """Content of a network's file. Raises ValueError naming it where it is missing or not that of its digest."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}; {REMEDY}") from error
    if hashlib.sha256(content).hexdigest() != digests.get(path.name):
        raise ValueError(f"{path}: not the file that {path.parent / 'config.json'} tells of; {REMEDY}")
    return content
