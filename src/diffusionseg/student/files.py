"""What a student's folder holds and what its network is called with."""

from __future__ import annotations

from pathlib import Path

FILES = {"student": "student.onnx", "student-int8": "student-int8.onnx"}
"""File of each variant: weights in half precision, and all in 8 bits."""

INPUT, OUTPUT = "pictures", "saliency"
"""(N, 3, S, S) float32 in 0…1 to (N, S/2, S/2) float32 in 0…1."""


def variant_of(name_or_path: str | Path) -> tuple[str | Path, str]:
    """(folder or name, variant of `FILES`) that `student`, `student-int8`, a folder, a hub id, or a .onnx file in one
    of the last two stands for.

    Raises ValueError for a .onnx file of another name.
    """
    name = str(name_or_path)
    if name in FILES:
        return "student", name
    path = Path(name)
    if path.suffix != ".onnx":
        return name_or_path, "student"
    variants = {file: variant for variant, file in FILES.items()}
    if path.name not in variants:
        raise ValueError(f"{name}: a student's file is named {' or '.join(variants)}")
    # As text it may still be a hub id.
    return path.parent if isinstance(name_or_path, Path) else str(path.parent), variants[path.name]
