"""What a folder or hub tells of a student."""

from __future__ import annotations

from typing import Any

from diffusionseg.prediction.hub import model_card

ANYWHERE = "FOLDER"
"""Stands for the place of a student whose folder may go anywhere."""


def student_card(described: dict[str, Any], where: str = ANYWHERE, license: str | None = None) -> str:
    """README.md of a student that its configuration describes so, at a repository or folder."""
    side = described["student"]["side"]
    files = " and ".join(f"`{name}`" for name in sorted(described["files"]))
    about = f"""A small network of pixels does it, in onnxruntime,
without generator and torch: {files} map `pictures` (N, 3, {side}, {side}), float32 in 0…1, to
`saliency` (N, {side // 2}, {side // 2}) in 0…1, which is then refined along the photograph's colours and edges.

- **Use:** `diffusionseg predict photos --weights {where} --out predictions`
- **Trained** {_training(described)}`diffusionseg distill`; settings in `config.json`.
- **Limits:** photographs are squeezed to {side}×{side}; small objects are missed, and fine parts get lost. The 8-bit
  file gives other last digits on other processors."""
    return model_card("A student for diffusionseg", about, "Student", where, license)


def _training(described: dict[str, Any]) -> str:
    """On how much, as far as its configuration tells, which anybody may have written."""
    try:
        pairs, training = int(described["data"]["count"]), described["training"]
        named = ""
        learnt = described if "captioned" in described else described.get("encoder_from", {})
        if "captioned" in learnt:
            count, classes = (int(learnt["captioned"][key]) for key in ("count", "classes"))
            named = f"the names of {classes:,} classes of {count:,} photographs (its encoder) and "
        steps = f"{int(training['steps']):,} steps of {int(training['batch_size'])}"
        return f"on {named}{pairs:,} image–mask pairs, {steps}, by "
    except (KeyError, TypeError, ValueError):
        return "by "
