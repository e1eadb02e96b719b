"""The trained parts as a folder in the Stable Diffusion layout; each part is there whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import diffusers
from diffusers import AutoencoderKL
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from diffusionseg.backbone.progress import without_progress_bars
from diffusionseg.data import atomic_write, errors_of
from diffusionseg.pretraining.autoencoder import PatchComponents
from diffusionseg.pretraining.generator import Generator, build_scheduler
from diffusionseg.training import other_weights


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder to write into, which becomes `target` at the end; a killed run leaves `target` as it was, or none.

    An error within leaves nothing new there. An OSError names `target`, also where a library hides it in another one.
    """
    partial = target.with_name(f".{target.name}.partial")
    with errors_of(target):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            with without_progress_bars():
                yield partial
            shutil.rmtree(target, ignore_errors=True)
            partial.rename(target)
        except BaseException as error:
            shutil.rmtree(partial, ignore_errors=True)
            # As the libraries in Rust tell of a full disk.
            hidden = re.search(r"\(os error (\d+)\)", str(error))
            if isinstance(error, OSError) or not hidden:
                raise
            raise OSError(int(hidden[1]), os.strerror(int(hidden[1]))) from error


def save_autoencoder(directory: Path, vae: AutoencoderKL, components: PatchComponents) -> None:
    """Save the autoencoder in fp16 as diffusers does, with the linear map that training goes on from."""
    with whole_folder(directory) as folder:
        vae.half().save_pretrained(folder)
        vae.float()
        linear = {"basis": components.basis.contiguous(), "mean": components.mean.contiguous()}
        atomic_write(folder / "components.safetensors", save(linear))


def load_autoencoder(directory: Path) -> tuple[AutoencoderKL, PatchComponents]:
    """What `save_autoencoder` wrote, in fp32. Raises ValueError naming a folder in which something is damaged."""
    with damage_named(directory):
        stored = load_file(directory / "components.safetensors")
        return AutoencoderKL.from_pretrained(directory), PatchComponents(stored["basis"], stored["mean"])


@contextmanager
def damage_named(directory: Path) -> Iterator[None]:
    """Within it every error of reading `directory` becomes a ValueError that names it and says what to do."""
    try:
        yield
    # The libraries raise a dozen kinds for damaged files.
    except Exception as error:
        raise ValueError(
            f"{directory}: cannot be read ({type(error).__name__}: {error}); delete this folder to have it made again, "
            "or copy it again where it was copied"
        ) from error


def folder_digest(folder: Path) -> str:
    """sha256 (hex) of what a run takes of a finished model folder: autoencoder, tokenizer, text encoder and U-Net."""
    digest = hashlib.sha256()
    for part in ("text_encoder", "tokenizer", "unet", "vae"):
        for path in sorted((folder / part).rglob("*")):
            if path.is_file():
                digest.update(f"{path.relative_to(folder).as_posix()} {path.stat().st_size}\n".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def load_generator(model: Generator, folder: Path) -> None:
    """Put the weights of a finished model folder into `model`. Raises ValueError where they do not fit."""
    try:
        model.unet.load_state_dict(load_file(folder / "unet" / "diffusion_pytorch_model.safetensors"))
        model.text_encoder.load_state_dict(load_file(folder / "text_encoder" / "model.safetensors"))
    except (RuntimeError, OSError, SafetensorError) as error:
        raise ValueError(
            f"--start-from {folder}: its weights are damaged or do not fit this generator ({error})"
        ) from error


def save_generator(directory: Path, model: Generator, weights: Mapping[str, Tensor], names: Sequence[str]) -> None:
    """Add U-Net and text encoder with `weights`, in fp16, scheduler and index, so that diffusers opens the folder as a
    Stable Diffusion pipeline. `names` are the classes it was trained on. `model` keeps its own weights."""
    with other_weights(model, weights):
        for module, name in ((model.unet, "unet"), (model.text_encoder, "text_encoder")):
            with whole_folder(directory / name) as folder:
                module.half().save_pretrained(folder)
            module.float()
    with whole_folder(directory / "scheduler") as folder:
        build_scheduler().save_pretrained(folder)
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": diffusers.__version__,
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    atomic_write(directory / "classes.txt", "".join(f"{n}\n" for n in names).encode())
    atomic_write(directory / "model_index.json", json.dumps(index, indent=2).encode())
