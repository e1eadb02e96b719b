"""Reading a folder in the Stable Diffusion layout, one component after the other, safetensors only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors import SafetensorError, safe_open
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from diffusionseg.backbone.errors import BackboneLoadError
from diffusionseg.backbone.progress import without_progress_bars
from diffusionseg.backbone.source import weight_files, weight_variant
from diffusionseg.memory import ran_out

_PICKLES = (".bin", ".ckpt", ".pt", ".pth")


@dataclass(frozen=True, eq=False)
class Components:
    """The parts of a generator as read from a folder, on the CPU."""

    unet: Any
    """`UNet2DConditionModel`."""
    vae: Any
    """`AutoencoderKL`."""
    text_encoders: list[Any]
    """One CLIP text model, or two for SDXL."""
    tokenizers: list[Any]
    """One tokenizer for each text encoder."""
    scheduler_config: dict[str, Any]
    """Contents of `scheduler/scheduler_config.json`."""
    force_zeros_for_empty_prompt: bool
    """Whether the empty prompt of a two-encoder model is all zeros (from `model_index.json`)."""
    weights: tuple[Path, ...]
    """The safetensors files that were read."""


def load_components(folder: Path, dtype: torch.dtype) -> Components:
    """Load every component in `dtype`. Components that are not needed (safety checker …) are not looked at.

    Raises `BackboneLoadError` naming the folder and what is missing or wrong in it.
    """
    index = _read_json(folder, "model_index.json")
    two = (folder / "text_encoder_2").is_dir()
    names = ["unet", "vae", "text_encoder", *(["text_encoder_2"] if two else [])]
    for name in [*names, "tokenizer", *(["tokenizer_2"] if two else []), "scheduler"]:
        if not (folder / name).is_dir():
            pipeline = index.get("_class_name", "an unknown pipeline")
            raise BackboneLoadError(
                f"{folder}: has no {name}/ (its model_index.json says {pipeline}): "
                "only the Stable Diffusion layout (SD 1.x, 2.x, SDXL and their variants) can be read"
            )
    half = dtype in (torch.float16, torch.bfloat16)
    classes = {
        "unet": (UNet2DConditionModel, "torch_dtype"),
        "vae": (AutoencoderKL, "torch_dtype"),
        "text_encoder": (CLIPTextModel, "dtype"),
        "text_encoder_2": (CLIPTextModelWithProjection, "dtype"),
    }
    models, weights = {}, []
    for name in names:
        _read_json(folder, f"{name}/config.json")
        variant, files = _weights_of(folder / name, half)
        weights += files
        cls, dtype_argument = classes[name]
        _check_weights(folder, files)
        models[name], found = _load(
            folder,
            name,
            cls,
            variant=variant,
            use_safetensors=True,
            output_loading_info=True,
            **{dtype_argument: dtype},
        )
        # The libraries draw at random what is missing, or leave it without memory.
        if found["missing_keys"]:
            lost = ", ".join(sorted(found["missing_keys"])[:3])
            raise BackboneLoadError(f"{folder}: {name}/ lacks weights ({lost} …); copy or download it again")
        _align(models[name])
    tokenizers = [_load(folder, "tokenizer", CLIPTokenizer)]
    if two:
        tokenizers.append(_load(folder, "tokenizer_2", CLIPTokenizer))
    return Components(
        unet=models["unet"],
        vae=models["vae"],
        text_encoders=[models[name] for name in names[2:]],
        tokenizers=tokenizers,
        scheduler_config=_read_json(folder, "scheduler/scheduler_config.json"),
        force_zeros_for_empty_prompt=bool(index.get("force_zeros_for_empty_prompt", True)),
        weights=tuple(weights),
    )


@contextmanager
def configuration_errors_named(folder: Path) -> Iterator[None]:
    """Within it what goes wrong, except for want of memory, is a BackboneLoadError that names the folder."""
    try:
        yield
    except Exception as error:  # a configuration that is nonsense shows wherever its entries are first used
        if ran_out(error):
            raise
        raise BackboneLoadError(
            f"{folder}: its configuration cannot be used ({type(error).__name__}: {error}); copy or download it again"
        ) from error


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    if not path.is_file():
        raise BackboneLoadError(f"{folder}: has no {name}: not a folder in the Stable Diffusion layout")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BackboneLoadError(f"{folder}: {name} is not valid JSON ({error})") from error
    if not isinstance(content, dict):
        raise BackboneLoadError(f"{folder}: {name} does not hold a JSON object")
    return content


def _weights_of(component: Path, half: bool) -> tuple[str | None, list[Path]]:
    names = sorted(path.name for path in component.iterdir())
    try:
        variant = weight_variant(names, half)
    except LookupError:
        pickles = [name for name in names if name.endswith(_PICKLES)]
        if pickles:
            raise BackboneLoadError(
                f"{component.parent}: {component.name}/ holds only pickled weights "
                f"({pickles[0]}), "
                "which can run code when read: convert them to safetensors, "
                "or use a revision of the model that has them"
            ) from None
        raise BackboneLoadError(f"{component.parent}: {component.name}/ has no weights (*.safetensors)") from None
    files = weight_files(names, variant)
    for index in (name for name in names if name.endswith(".safetensors.index.json")):
        parts = _read_json(component.parent, f"{component.name}/{index}").get("weight_map")
        # The libraries would read anything that is named there, pickles and files elsewhere too.
        if not isinstance(parts, dict) or not set(map(str, parts.values())) <= {
            n for n in names if n.endswith(".safetensors")
        }:
            raise BackboneLoadError(
                f"{component.parent}: {component.name}/{index} names weights that are no safetensors file beside it"
            )
    return variant, [component / name for name in files]


def _load(folder: Path, name: str, cls: Any, **options: Any) -> Any:
    try:
        with without_progress_bars():
            return cls.from_pretrained(str(folder / name), local_files_only=True, **options)
    except Exception as error:  # the libraries raise a dozen kinds for damaged files; all mean the same to a user
        if ran_out(error):
            raise
        raise BackboneLoadError(
            f"{folder}: cannot read {name}/ as {cls.__name__} ({type(error).__name__}: {error}); copy or download it "
            "again"
        ) from error


def _check_weights(folder: Path, files: Sequence[Path]) -> None:
    """Refuse files whose header does not fit their length, and weights that are whole numbers, which would be cast."""
    for path in files:
        try:
            with safe_open(str(path), framework="pt") as file:
                kinds = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, ValueError) as error:
            raise BackboneLoadError(
                f"{folder}: {path.parent.name}/{path.name} is damaged ({error}); copy or download it again"
            ) from error
        # Text encoders keep the numbers of positions among their weights.
        whole = [n for n, kind in kinds.items() if kind[0] not in "FB" and not n.endswith("position_ids")]
        if whole:
            raise BackboneLoadError(
                f"{folder}: {path.parent.name}/{path.name} holds {whole[0]} as {kinds[whole[0]]}, which is no weight"
            )


def _align(model: Any) -> None:
    """Copy weights that lie at odd addresses of a mapped file to memory of PyTorch's own.

    Kernels round differently for unaligned weights, so without this the same generator would give other last
    bits when loaded than when built in memory, or when the layout of its files changes.
    """
    for parameter in model.parameters():
        if parameter.data_ptr() % 64:
            parameter.data = parameter.data.clone()
