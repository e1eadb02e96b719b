"""Pretrain a small generator: autoencoder, tokenizer, then U-Net with text encoder. Resumes from its own files."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save
from torch import Tensor
from transformers import CLIPTokenizer

from diffusionseg.data import atomic_write
from diffusionseg.pretraining.autoencoder import (
    PatchComponents,
    autoencoder_steps,
    build_autoencoder,
    fit_patch_components,
)
from diffusionseg.pretraining.captions import caption, train_tokenizer
from diffusionseg.pretraining.generator import (
    Generator,
    GeneratorConfig,
    build_generator,
    build_scheduler,
    velocity_loss,
)
from diffusionseg.pretraining.photos import Photos
from diffusionseg.training import (
    Journal,
    WeightAverage,
    batch_indices,
    load_checkpoint,
    save_checkpoint,
    step_generator,
)

Report = Callable[[str, int, int, dict[str, float]], None]
"""Called as report(stage, done steps, all steps, values)."""


@dataclass(frozen=True)
class PretrainConfig:
    """How a small generator is trained."""

    image_size: int = 64
    """Side of the training squares in pixels, a multiple of 16."""
    steps: int = 10_000
    """Optimiser steps of the U-Net and text encoder."""
    batch_size: int = 48
    """Photographs in a step."""
    learning_rate: float = 5e-4
    """Peak of the cosine schedule."""
    warmup: int = 500
    """Steps of linear warm-up."""
    final_fraction: float = 0.1
    """Learning rate at the end, as a share of the peak."""
    weight_decay: float = 0.01
    """AdamW's decoupled decay."""
    average_decay: float = 0.999
    """Decay of the averaged weights that are saved."""
    caption_drop: float = 0.1
    """Share of empty captions."""
    autoencoder_steps: int = 2500
    """Optimiser steps of the autoencoder (batches of 24)."""
    save_every: int = 500
    """Steps between checkpoints."""
    seed: int = 0
    """Seed of everything random."""
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    """Size of the generator."""

    def __post_init__(self) -> None:
        if self.image_size % 16 or self.image_size <= 0:
            raise ValueError(f"--image-size must be a positive multiple of 16, got {self.image_size}")
        for name in ("steps", "batch_size", "autoencoder_steps", "save_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name.replace('_', '-')} must be at least 1, got {getattr(self, name)}")


def pretrain(
    photos: Photos,
    vocabulary: Sequence[str],
    general: Mapping[str, str],
    out: Path,
    config: PretrainConfig,
    *,
    device: torch.device,
    start_from: Path | None = None,
    report: Report = lambda *_: None,
) -> Path:
    """Train on `photos` and write a Stable-Diffusion-layout folder to OUT/model; returns that folder.

    `vocabulary` holds the class names whose words become tokens. `start_from` is a finished model folder whose
    autoencoder, tokenizer, text encoder and U-Net the run continues. Interrupted runs resume from OUT bit for bit on
    the same machine. Raises ValueError when OUT holds a run of another configuration.
    """
    out.mkdir(parents=True, exist_ok=True)
    _check_same_run(out, config, photos)
    model_dir = out / "model"
    source = model_dir if (model_dir / "tokenizer").is_dir() else start_from
    if source is not None:
        tokenizer = CLIPTokenizer.from_pretrained(source / "tokenizer")
    else:
        tokenizer = train_tokenizer([*vocabulary, *general.values()], model_dir / "tokenizer")
    vae, components = _autoencoder(photos, out, config, start_from, device, report)
    model = build_generator(config.generator, len(tokenizer), tokenizer.model_max_length)
    if start_from is not None:
        _load_generator(model, start_from)
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = _train_generator(model, photos, general, tokenizer, components, out, config, device, report)
    save_model(model_dir, model, average, vae, tokenizer, photos.names)
    return model_dir


def _check_same_run(out: Path, config: PretrainConfig, photos: Photos) -> None:
    wanted = json.loads(json.dumps({**asdict(config), "photos": len(photos), "names": photos.names}))
    path = out / "pretrain.json"
    if path.exists():
        existing = json.loads(path.read_text())
        differing = sorted(k for k in wanted if existing.get(k) != wanted[k])
        if differing:
            raise ValueError(f"{path}: another run ({', '.join(differing)} differ); use another --out")
    atomic_write(path, json.dumps(wanted, indent=1).encode())


def _autoencoder(
    photos: Photos, out: Path, config: PretrainConfig, start_from: Path | None, device: torch.device, report: Report
) -> tuple[AutoencoderKL, PatchComponents]:
    finished = next((d for d in (out / "model", start_from) if d is not None and (d / "vae").is_dir()), None)
    if finished is not None:
        stored = load_file(finished / "vae" / "components.safetensors")
        return AutoencoderKL.from_pretrained(finished / "vae"), PatchComponents(stored["basis"], stored["mean"])
    rng = np.random.default_rng(config.seed)
    some = photos.images[rng.permutation(len(photos))[:4000]]
    components = fit_patch_components(some, config.generator.latent_channels)
    torch.manual_seed(config.seed)
    vae = build_autoencoder(config.generator.latent_channels, config.image_size).to(device)
    total = config.autoencoder_steps
    for step, latent, pixel in autoencoder_steps(
        vae, components, photos.images, steps=total, batch_size=24, seed=config.seed
    ):
        report("autoencoder", step + 1, total, {"latent_mse": latent, "pixel_l1": pixel})
    save_autoencoder(out / "model" / "vae", vae, components)
    return vae, components


def save_autoencoder(directory: Path, vae: AutoencoderKL, components: PatchComponents) -> None:
    """Save the autoencoder as diffusers does, with the linear map that training goes on from."""
    directory.mkdir(parents=True, exist_ok=True)
    atomic_write(
        directory / "components.safetensors",
        save({"basis": components.basis.contiguous(), "mean": components.mean.contiguous()}),
    )
    vae.save_pretrained(directory)


def _load_generator(model: Generator, folder: Path) -> None:
    model.unet.load_state_dict(load_file(folder / "unet" / "diffusion_pytorch_model.safetensors"))
    model.text_encoder.load_state_dict(load_file(folder / "text_encoder" / "model.safetensors"))


def learning_rate(step: int, config: PretrainConfig) -> float:
    """Linear warm-up, then cosine down to `final_fraction` of the peak at the last step."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    progress = (step - config.warmup) / max(1, config.steps - config.warmup)
    cosine = 0.5 * (1 + np.cos(np.pi * min(1.0, progress)))
    return float(config.learning_rate * (config.final_fraction + (1 - config.final_fraction) * cosine))


def training_batch(
    photos: Photos,
    general: Mapping[str, str],
    tokenizer: CLIPTokenizer,
    components: PatchComponents,
    config: PretrainConfig,
    step: int,
) -> tuple[Tensor, Tensor]:
    """Latents (B, C, h, w) and token ids (B, L) of step `step`: shuffled photographs, mirrored half of the time."""
    rng = np.random.default_rng((config.seed, step))
    rows = batch_indices(len(photos), config.batch_size, config.seed, step)
    chosen = photos.images[rows]
    mirrored = rng.random(len(rows)) < 0.5
    chosen[mirrored] = chosen[mirrored][:, :, ::-1]
    captions = [caption(photos.names[photos.labels[r]], general, rng, config.caption_drop) for r in rows]
    pixels = torch.from_numpy(chosen).permute(0, 3, 1, 2).float() / 255
    tokens = tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
    return components.encode(pixels), tokens


def _train_generator(
    model: Generator,
    photos: Photos,
    general: Mapping[str, str],
    tokenizer: CLIPTokenizer,
    components: PatchComponents,
    out: Path,
    config: PretrainConfig,
    device: torch.device,
    report: Report,
) -> WeightAverage:
    optimizer = torch.optim.AdamW(
        model.parameters(), config.learning_rate, betas=(0.9, 0.99), weight_decay=config.weight_decay
    )
    average = WeightAverage(model, config.average_decay)
    resumed = load_checkpoint(out, model, average, optimizer)
    first = resumed[0] if resumed else 0
    journal = Journal(out, first)
    alphas = build_scheduler().alphas_cumprod
    forward: Any = torch.compile(model) if device.type == "cuda" else model
    model.train()
    started = time.monotonic()
    for step in range(first, config.steps):
        rate = learning_rate(step, config)
        for group in optimizer.param_groups:
            group["lr"] = rate
        latents, tokens = training_batch(photos, general, tokenizer, components, config, step)
        latents = latents.to(device, memory_format=torch.channels_last)
        loss, _, _ = velocity_loss(forward, latents, tokens.to(device), alphas, step_generator(config.seed, step))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update(model)
        if step % 20 == 0 or step + 1 == config.steps:
            speed = (step + 1 - first) * config.batch_size / (time.monotonic() - started)
            values = {"loss": loss.item(), "grad_norm": norm.item(), "lr": rate, "photos_per_second": speed}
            journal.write(step, **values)
            report("generator", step + 1, config.steps, values)
        if (step + 1) % config.save_every == 0 or step + 1 == config.steps:
            save_checkpoint(out, step + 1, model, average, optimizer, {"photos": len(photos)})
            journal.plot({"loss": ["loss"], "learning rate": ["lr"]})
    return average


def save_model(
    directory: Path,
    model: Generator,
    average: WeightAverage,
    vae: AutoencoderKL,
    tokenizer: CLIPTokenizer,
    names: Sequence[str],
) -> None:
    """Write the averaged weights in fp16 as a folder that diffusers loads as a Stable Diffusion pipeline."""
    import diffusers

    current = {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(average.weights)
    for module, name in ((model.unet, "unet"), (model.text_encoder, "text_encoder")):
        module.half().save_pretrained(directory / name)
        module.float()
    model.load_state_dict(current)
    vae.half().save_pretrained(directory / "vae")
    vae.float()
    tokenizer.save_pretrained(directory / "tokenizer")
    build_scheduler().save_pretrained(directory / "scheduler")
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
    atomic_write(directory / "model_index.json", json.dumps(index, indent=2).encode())
    atomic_write(directory / "classes.txt", "".join(f"{n}\n" for n in names).encode())
