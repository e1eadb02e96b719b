"""What an export is to hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FORMATS = {
    "coco": "none",
    "coco-results": "none",
    "voc": "copy",
    "yolo": "copy",
    "cvat": "none",
    "label-studio": "none",
    "images": "copy",
}
"""Every format and what becomes of the photographs unless something else is asked for."""
PHOTOGRAPHS = ("copy", "link", "none")


@dataclass(frozen=True)
class ExportConfig:
    """Choices of an export."""

    format: str
    """One of FORMATS."""
    class_name: str = "object"
    """Class of what was found without one: predictions, pseudo-labelled photographs, data sets."""
    images: Path | None = None
    """Folder of the photographs of predictions, where they are no longer where they were predicted from."""
    photographs: str | None = None
    """`copy`, `link` or `none`; None for the format's own way."""
    parts: bool = False
    """Whether every connected part of a mask is an object of its own."""
    polygons: bool = False
    """Polygons instead of run-length codes; COCO only."""
    val: float = 0.0
    """Share of the images that go to the validation list, 0 to 1; VOC and YOLO only."""
    url: str | None = None
    """What stands before a photograph's name in the tasks of Label Studio."""
    instances: Path | None = None
    """COCO instances file whose ids of images and categories results take."""

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"--format {self.format}: choose from {', '.join(FORMATS)}")
        if self.photographs is not None and self.photographs not in PHOTOGRAPHS:
            raise ValueError(f"--photographs {self.photographs}: choose from {', '.join(PHOTOGRAPHS)}")
        if not 0 <= self.val < 1:
            raise ValueError(f"--val must be at least 0 and below 1, got {self.val}")
        if not self.class_name.strip() or any(c in self.class_name for c in ":#\r\n"):
            raise ValueError(f"--class {self.class_name!r}: a name without colon, # and line break is needed")
        for flag, given, formats in (
            ("--polygons", self.polygons, ("coco",)),
            ("--val", self.val > 0, ("voc", "yolo")),
            ("--url", self.url is not None, ("label-studio",)),
            ("--instances", self.instances is not None, ("coco-results",)),
            ("--parts", self.parts, ("coco", "voc", "yolo", "cvat", "label-studio")),
            ("--photographs", self.photographs is not None, [f for f in FORMATS if f != "coco-results"]),
        ):
            if given and self.format not in formats:
                raise ValueError(f"{flag} is for {', '.join(formats)}; leave it out for --format {self.format}")

    @property
    def placing(self) -> str:
        """What becomes of the photographs: `copy`, `link` or `none`."""
        return self.photographs or FORMATS[self.format]
