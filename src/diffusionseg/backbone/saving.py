"""Writing a generator as a folder that diffusers itself can load."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import diffusers

from diffusionseg.backbone.progress import without_progress_bars


def save_components(
    folder: Path,
    *,
    unet: Any,
    vae: Any,
    text_encoders: Sequence[Any],
    tokenizers: Sequence[Any],
    scheduler_config: Mapping[str, Any],
    force_zeros_for_empty_prompt: bool,
) -> None:
    """Write the Stable Diffusion layout under `folder` (made if missing), weights as safetensors.

    `model_index.json` is written last, and one that was there is taken away first, so a folder that has one is whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model_index.json").unlink(missing_ok=True)
    scheduler = {"_class_name": "DDIMScheduler", **scheduler_config}
    index: dict[str, Any] = {
        "_class_name": "StableDiffusionXLPipeline" if len(text_encoders) > 1 else "StableDiffusionPipeline",
        "_diffusers_version": diffusers.__version__,
        "scheduler": ["diffusers", scheduler["_class_name"]],
        "unet": ["diffusers", type(unet).__name__],
        "vae": ["diffusers", type(vae).__name__],
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
    }
    if len(text_encoders) > 1:
        index["force_zeros_for_empty_prompt"] = force_zeros_for_empty_prompt
    else:
        index |= {"safety_checker": [None, None], "requires_safety_checker": False}
    with without_progress_bars():
        unet.save_pretrained(folder / "unet", safe_serialization=True)
        vae.save_pretrained(folder / "vae", safe_serialization=True)
        for number, (encoder, tokenizer) in enumerate(zip(text_encoders, tokenizers, strict=True), start=1):
            suffix = "" if number == 1 else f"_{number}"
            encoder.save_pretrained(folder / f"text_encoder{suffix}")
            tokenizer.save_pretrained(folder / f"tokenizer{suffix}")
            index[f"text_encoder{suffix}"] = ["transformers", type(encoder).__name__]
            index[f"tokenizer{suffix}"] = ["transformers", type(tokenizer).__name__]
    (folder / "scheduler").mkdir(exist_ok=True)
    _write_json(folder / "scheduler" / "scheduler_config.json", scheduler)
    _write_json(folder / "model_index.json", index)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
