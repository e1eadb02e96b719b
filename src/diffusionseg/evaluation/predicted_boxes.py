"""predictions.jsonl, looked up by image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffusionseg.data import read_box, read_json_lines
from diffusionseg.data.boxes import is_number
from diffusionseg.evaluation.corloc import Box


class PredictedBoxes:
    """The boxes of each image of a predictions.jsonl; images that failed count as not there."""

    def __init__(self, path: Path) -> None:
        """Raises ValueError with file and line number for what is no prediction."""
        self.path = path
        self._found: dict[str, list[tuple[Box, float]]] = {}
        for number, record in read_json_lines(path):
            image, boxes = record.get("image"), record.get("boxes")
            if not isinstance(image, str):
                raise ValueError(f"{path}:{number}: needs `image`, a path")
            # A later line of an image replaces an earlier one: a failure that was tried again.
            self._found.pop(image, None)
            if "error" in record:
                continue
            if not isinstance(boxes, list):
                raise ValueError(f"{path}:{number}: needs `boxes`, a list, or `error`")
            try:
                self._found[image] = list(zip(map(read_box, boxes), _scores(record, len(boxes)), strict=True))
            except ValueError as error:
                raise ValueError(f"{path}:{number}: {error}") from error
        self._by_name: dict[str, list[str]] = {}
        for image in self._found:
            self._by_name.setdefault(Path(image).name, []).append(image)

    def __contains__(self, image: str) -> bool:
        """Whether there is a prediction, be it that nothing was found."""
        return self._match(image) is not None

    def best(self, image: str) -> Box | None:
        """The first box of an image; None where nothing was found or nothing was predicted."""
        found = self.all(image)
        return found[0][0] if found else None

    def all(self, image: str) -> list[tuple[Box, float]]:
        """Every box of an image with its score, best first; none where nothing was predicted."""
        match = self._match(image)
        return self._found[match] if match is not None else []

    def _match(self, image: str) -> str | None:
        """By path, else by file name. Raises ValueError where several predictions have that name."""
        if image in self._found:
            return image
        candidates = self._by_name.get(Path(image).name, [])
        if len(candidates) > 1:
            raise ValueError(f"{self.path}: {image} could be any of {', '.join(sorted(candidates)[:5])}")
        return candidates[0] if candidates else None


def _scores(record: dict[str, Any], number: int) -> list[float]:
    """Scores of a line's boxes; without any, falling ones, since boxes are listed best first."""
    scores = record.get("scores", [1 - rank / number for rank in range(number)])
    if not isinstance(scores, list) or len(scores) != number or not all(is_number(s) for s in scores):
        raise ValueError(f"needs `scores`, {number} numbers, or none")
    return scores
