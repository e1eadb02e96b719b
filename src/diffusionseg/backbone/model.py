"""The frozen generator behind one small interface."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diffusionseg.backbone import features as _features
from diffusionseg.backbone import fingerprint as _fingerprint
from diffusionseg.backbone import latents as _latents
from diffusionseg.backbone.conditioning import Conditioning
from diffusionseg.backbone.device import place_convolutions, resolve_device, resolve_dtype
from diffusionseg.backbone.loading import configuration_errors_named, load_components
from diffusionseg.backbone.micro_conditioning import added_conditions, guidance_embedding
from diffusionseg.backbone.saving import save_components
from diffusionseg.backbone.schedule import noise_schedule
from diffusionseg.backbone.source import resolve_source
from diffusionseg.backbone.span import class_token_span
from diffusionseg.backbone.text import encode_prompt, token_limit


class Backbone:
    """A frozen text-to-image latent diffusion model of the Stable Diffusion family.

    `unet`, `vae`, `text_encoders`, `tokenizers` are diffusers' and transformers' own objects, in evaluation
    mode and without gradients. `alphas_cumprod` is ᾱ (T,) in float64 on the CPU, `prediction_type` is
    `epsilon` or `v_prediction`, `latent_channels` is C, `downscale` the pixels per latent cell, `image_size`
    the native side in pixels.
    """

    def __init__(
        self,
        *,
        unet: Any,
        vae: Any,
        text_encoders: Sequence[Any],
        tokenizers: Sequence[Any],
        scheduler_config: Mapping[str, Any],
        name: str = "unnamed",
        force_zeros_for_empty_prompt: bool = True,
        device: str | torch.device = "cpu",
        dtype: torch.dtype | None = None,
    ) -> None:
        """Wrap components built elsewhere; `dtype` None keeps the U-Net's own number format."""
        self.name = name
        self.unet, self.vae = unet, vae
        self.text_encoders, self.tokenizers = list(text_encoders), list(tokenizers)
        self.scheduler_config = dict(scheduler_config)
        self.force_zeros_for_empty_prompt = force_zeros_for_empty_prompt
        schedule = noise_schedule(scheduler_config)
        self.alphas_cumprod, self.prediction_type = schedule.alphas_cumprod, schedule.prediction_type
        self.final_alpha_cumprod = schedule.final_alpha_cumprod
        self.latent_channels = int(vae.config.latent_channels)
        _latents.check_scale(vae)
        self.downscale = 2 ** (len(vae.config.block_out_channels) - 1)
        side = unet.config.sample_size
        self.image_size = int(side if isinstance(side, int) else max(side)) * self.downscale
        if unet.config.in_channels != self.latent_channels:
            raise ValueError(
                f"{name}: the U-Net takes {unet.config.in_channels} channels, the VAE makes "
                f"{self.latent_channels}: inpainting and other image-conditioned variants are not supported"
            )
        if not 1 <= len(self.text_encoders) == len(self.tokenizers) <= 2:
            raise ValueError(
                f"{name}: needs one or two text encoders with a tokenizer each, "
                f"not {len(self.text_encoders)} and {len(self.tokenizers)}"
            )
        self.token_limit = token_limit(self.tokenizers, self.text_encoders)
        self._weights: tuple[Path, ...] = ()
        self._empty: tuple[Tensor, Tensor | None] | None = None
        for module in (unet, vae, *self.text_encoders):
            module.eval()
            module.requires_grad_(False)
        self.device: torch.device = torch.device("cpu")
        self.dtype: torch.dtype = unet.dtype
        self.to(device, dtype)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        *,
        device: str | torch.device = "auto",
        dtype: torch.dtype | str | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        token: str | bool | None = None,
    ) -> Backbone:
        """Load `mini`, a folder in the Stable Diffusion layout, or a hub id.

        `device` is `auto`, `cpu`, `cuda`, `cuda:N` or `mps`; `dtype` None means float16 on CUDA, else
        float32. Raises `BackboneLoadError` (what is missing, and the remedy) and `DeviceUnavailableError`.
        """
        where = resolve_device(device)
        number_format = resolve_dtype(dtype, where)
        folder = resolve_source(
            name_or_path,
            half=number_format in (torch.float16, torch.bfloat16),
            local_files_only=local_files_only,
            revision=revision,
            cache_dir=cache_dir,
            token=token,
        )
        parts = load_components(folder, number_format)
        with configuration_errors_named(folder):
            backbone = cls(
                unet=parts.unet,
                vae=parts.vae,
                text_encoders=parts.text_encoders,
                tokenizers=parts.tokenizers,
                scheduler_config=parts.scheduler_config,
                name=str(name_or_path),
                force_zeros_for_empty_prompt=parts.force_zeros_for_empty_prompt,
                device=where,
                dtype=number_format,
            )
        backbone._weights = parts.weights
        return backbone

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the generator as a folder that `from_pretrained` and diffusers' pipelines can load."""
        save_components(
            Path(folder),
            unet=self.unet,
            vae=self.vae,
            text_encoders=self.text_encoders,
            tokenizers=self.tokenizers,
            scheduler_config=self.scheduler_config,
            force_zeros_for_empty_prompt=self.force_zeros_for_empty_prompt,
        )

    def to(self, device: str | torch.device | None = None, dtype: torch.dtype | None = None) -> Backbone:
        """Move and convert in place; returns itself."""
        self.device = resolve_device(device) if device is not None else self.device
        self.dtype = dtype or self.dtype
        # Not the libraries' own `to`, which warns about every cast of any U-Net.
        for module in (self.unet, *self.text_encoders):
            nn.Module.to(module, device=self.device, dtype=self.dtype)
        # SDXL's VAE overflows to NaN in float16, and its configuration says so.
        widen = self.dtype == torch.float16 and bool(getattr(self.vae.config, "force_upcast", False))
        place_convolutions(self.vae, self.device, torch.float32 if widen else self.dtype)
        self._empty = None
        return self

    def replica(self) -> Backbone:
        """The same generator for another thread: weights are shared; taps, and tokenizers, which hold state
        while they work, are not."""
        shared = {id(t): t for t in (*self.unet.parameters(), *self.unet.buffers())}
        other = copy.copy(self)
        other.unet = copy.deepcopy(self.unet, shared)
        other.tokenizers = copy.deepcopy(self.tokenizers)
        return other

    @property
    def dtype_name(self) -> str:
        """The U-Net's number format, such as `float16`."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def embeds_guidance(self) -> bool:
        """Whether the U-Net takes the guidance scale as an input (LCM), so that one call gives the guided result."""
        return getattr(self.unet.config, "time_cond_proj_dim", None) is not None

    @cached_property
    def fingerprint(self) -> str:
        """sha256 (hex) over configurations, weights and vocabulary; the same for every device and number
        format."""
        modules = (self.unet, self.vae, *self.text_encoders)
        schedule = {
            "alphas": [f"{a:.6e}" for a in self.alphas_cumprod.tolist()],
            "final": f"{self.final_alpha_cumprod:.6e}",
            "form": self.prediction_type,
        }
        return _fingerprint.fingerprint(
            configs=[
                dict(self.unet.config),
                dict(self.vae.config),
                *(_fingerprint.text_config(encoder.config) for encoder in self.text_encoders),
                schedule,
            ],
            tensors=(
                _fingerprint.file_tensors(self._weights) if self._weights else _fingerprint.module_tensors(modules)
            ),
            vocabularies=[tokenizer.get_vocab() for tokenizer in self.tokenizers],
        )

    def encode_prompts(self, prompts: Sequence[str], class_names: Sequence[str] | None = None) -> Conditioning:
        """Embed prompts; with `class_names`, one for each prompt, also find the token span of each name.

        Raises `ValueError` when a name is not in its prompt as whole words, or is lost by truncation.
        """
        if isinstance(prompts, str) or isinstance(class_names, str):
            raise TypeError("prompts and class_names are sequences of strings, one for each row")
        if not prompts:
            raise ValueError("prompts is empty")
        spans: list[tuple[int, ...]] = [()] * len(prompts)
        if class_names is not None:
            spans = [self.class_span(p, c) for p, c in zip(prompts, class_names, strict=True)]
        distinct = {p: encode_prompt(self.tokenizers, self.text_encoders, p) for p in dict.fromkeys(prompts)}
        return self._conditioning([distinct[prompt] for prompt in prompts], spans)

    def class_span(self, prompt: str, class_name: str) -> tuple[int, ...]:
        """Token positions of `class_name` in `prompt`, the start token being 0.

        Raises `ValueError` when the name is not in the prompt as whole words, or is lost by truncation.
        """
        spans = {class_token_span(t, prompt, class_name, self.token_limit) for t in self.tokenizers}
        if len(spans) != 1:
            raise ValueError(f"the tokenizers of {self.name} place {class_name!r} in {prompt!r} differently: {spans}")
        return spans.pop()

    def empty_prompt(self, batch: int) -> Conditioning:
        """The unconditional prompt, `batch` times: "" encoded, or zeros where an SDXL model says so."""
        if self._empty is None:
            states, pooled = encode_prompt(self.tokenizers, self.text_encoders, "")
            if len(self.text_encoders) > 1 and self.force_zeros_for_empty_prompt:
                states, pooled = (
                    torch.zeros_like(states),
                    None if pooled is None else torch.zeros_like(pooled),
                )
            self._empty = (states, pooled)
        return self._conditioning([self._empty] * batch, [()] * batch)

    def encode_images(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in 0…1 to latents (B, C, H / downscale, W / downscale) float32 (posterior mean,
        scaled).

        Raises `ValueError` for sizes that are no multiple of `downscale`, and for values outside 0…1.
        """
        _latents.check_images(images, self.downscale)
        return _latents.encode_images(self.vae, images)

    def decode_latents(self, latents: Tensor) -> Tensor:
        """Latents (B, C, h, w) to images (B, 3, h · downscale, w · downscale) float32 in 0…1."""
        return _latents.decode_latents(self.vae, latents)

    @torch.no_grad()
    def denoise(
        self,
        latents: Tensor,
        timestep: int,
        conditioning: Conditioning,
        *,
        image_size: tuple[int, int] | None = None,
        guidance_scale: float = 8.5,
    ) -> Tensor:
        """One call of the U-Net: latents (B, C, h, w) at `timestep` 0…T-1 to its output, same shape, float32.

        The output is ε or v by `prediction_type`; a float64 model gives float64. `image_size` (height, width)
        in pixels is SDXL's micro-conditioning, by default the size of the latents. `guidance_scale` counts
        only for models distilled to take it as an input (LCM); the default is that of diffusers' LCM
        pipeline.
        """
        if len(latents) != len(conditioning):
            raise ValueError(f"latents has {len(latents)} rows, conditioning {len(conditioning)}")
        size = image_size or (latents.shape[-2] * self.downscale, latents.shape[-1] * self.downscale)
        output: Tensor = self.unet(
            latents.to(self.device, self.dtype),
            torch.tensor(timestep, device=self.device),
            encoder_hidden_states=conditioning.embeddings.to(self.device, self.dtype),
            timestep_cond=guidance_embedding(self.unet, guidance_scale, len(latents)),
            added_cond_kwargs=added_conditions(self.unet, conditioning, size),
            return_dict=False,
        )[0]
        return output.to(torch.promote_types(output.dtype, torch.float32))

    def features(
        self,
        images: Tensor,
        timesteps: Sequence[int] = (50, 200),
        mode: _features.Mode = "noise",
        layers: Sequence[str] | None = None,
        steps: int = 10,
        noise_seed: int = 0,
    ) -> dict[str, Tensor]:
        """Diffusion features of images (B, 3, H, W) in 0…1; see
        `diffusionseg.backbone.features.extract_features`."""
        return _features.extract_features(
            self, images, timesteps, mode=mode, layers=layers, steps=steps, noise_seed=noise_seed
        )

    def _conditioning(
        self, rows: Sequence[tuple[Tensor, Tensor | None]], spans: Sequence[tuple[int, ...]]
    ) -> Conditioning:
        pooled = [row[1] for row in rows if row[1] is not None]
        return Conditioning(
            embeddings=torch.cat([row[0] for row in rows]).to(self.device, self.dtype),
            pooled=torch.cat(pooled).to(self.device, self.dtype) if pooled else None,
            spans=tuple(spans),
        )
