"""What the generator has to say about one photograph, read once for all methods."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffusionseg.backbone import AttentionMaps, AttentionTap, Backbone, Conditioning, FeatureTap, attention_layers
from diffusionseg.backbone.schedule import add_noise
from diffusionseg.exploitation import DiffusionSeg
from diffusionseg.exploitation.features import as_tensor
from diffusionseg.prediction.squeeze import squeeze
from diffusionseg.synthesis.prompts import make_prompt

Taken = TypeVar("Taken")


@dataclass(frozen=True)
class ReadingConfig:
    """How photographs are read. A photograph has no class name, and only the methods that need one are told a word."""

    class_name: str = "object"
    """Word whose cross-attention is read, the same for every photograph; the tokenizer must be able to spell it."""
    template: str = "a photo of {article} {name}"
    """Prompt of the passes with a word, as in synthesis."""
    named_timesteps: tuple[int, ...] = (350, 550, 750)
    """Timesteps (0…999) of the passes with the word, as in synthesis (`reread_timesteps`)."""
    merging_timestep: int = 300
    """Timestep of the pass for `merging`, without prompt; DiffSeg's."""
    feature_timestep: int = 50
    """Timestep of the pass for the normalised cuts, without prompt; DiffCut's."""
    noises: int = 4
    """Noises under which a photograph is read at each timestep; all is averaged over them."""
    seed: int = 0
    """Seed of the noises, which are the same for every photograph."""
    min_tokens: int = 196
    """Fewest positions of a layer that is read, except for `merging`, which reads coarser ones too."""
    max_tokens: int = 1024
    """Most positions of a layer that is read."""

    def __post_init__(self) -> None:
        steps = (*self.named_timesteps, self.merging_timestep, self.feature_timestep)
        if not self.named_timesteps or not all(0 <= t <= 999 for t in steps):
            raise ValueError(f"timesteps must be in 0 … 999 and at least one, got {steps}")
        if self.noises < 1:
            raise ValueError(f"noises must be at least 1, got {self.noises}")
        if not 1 <= self.min_tokens <= self.max_tokens:
            raise ValueError(f"min_tokens must be in 1 … max_tokens {self.max_tokens}, got {self.min_tokens}")


@dataclass(frozen=True, eq=False)
class LayerFeatures:
    """Features of two layers without prompt, means over the noises."""

    encoder: NDArray[np.float64]
    """(N, C) that the encoder's last self-attention layer of `min_tokens` to `max_tokens` positions gives."""
    keys: NDArray[np.float64]
    """(N, C) keys of the generator's last such layer."""


class Reading:
    """One photograph (H, W, 3) uint8 as the generator sees it, squeezed to its square.

    Each part is computed when it is first asked for and then kept, and `seconds` says how long that took by `clock`.
    """

    def __init__(
        self,
        model: DiffusionSeg,
        image: NDArray[np.uint8],
        config: ReadingConfig | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.model, self.image, self.config, self.clock = model, image, config or ReadingConfig(), clock
        self.seconds: dict[str, float] = {}

    @cached_property
    def encoded(self) -> Tensor:
        """Latents (1, C, h, w)."""
        square = squeeze(self.image, self._backbone.image_size)
        return self._timed("encoded", lambda: self._backbone.encode_images(as_tensor([square], self._backbone.device)))

    @cached_property
    def named(self) -> AttentionMaps:
        """Cross-attention to the word and self-attention, one row, mean over timesteps and noises."""
        return self._timed("named", self._named)

    @cached_property
    def unnamed(self) -> AttentionMaps:
        """Self-attention of all layers without prompt, one row, mean over noises."""
        return self._timed("unnamed", self._unnamed)

    @cached_property
    def features(self) -> LayerFeatures:
        """Features of the layers that the normalised cuts read."""
        return self._timed("features", self._features)

    @cached_property
    def decoded(self) -> NDArray[np.float32]:
        """The decoder's unrefined saliency (h, w) in 0…1."""
        config = self.model.predict_config
        return self._timed("decoded", lambda: self.model.saliency([self.image], config.flip, config.margins)[0])

    def _timed(self, part: str, read: Callable[[], Taken]) -> Taken:
        started = self.clock()
        with torch.no_grad():
            taken = read()
        self.seconds[part] = self.clock() - started
        return taken

    def _named(self) -> AttentionMaps:
        config = self.config
        prompt = make_prompt(config.template, config.class_name)
        conditioning = self._backbone.encode_prompts([prompt] * config.noises, [config.class_name] * config.noises)
        tap = AttentionTap(self._backbone, conditioning, min_tokens=config.min_tokens, max_tokens=config.max_tokens)
        with tap:
            for t in config.named_timesteps:
                self._denoise(t, conditioning)
        return _one_row(tap.maps())

    def _unnamed(self) -> AttentionMaps:
        conditioning = self._backbone.empty_prompt(self.config.noises)
        tap = AttentionTap(
            self._backbone, conditioning, cross_layers=(), min_tokens=1, max_tokens=self.config.max_tokens
        )
        with tap:
            self._denoise(self.config.merging_timestep, conditioning)
        return _one_row(tap.maps())

    def _features(self) -> LayerFeatures:
        layers = [layer.name for layer in attention_layers(self._backbone.unet) if layer.kind == "self"]
        with FeatureTap(self._backbone, [*layers, *(f"{name}.to_k" for name in layers)]) as tap:
            self._denoise(self.config.feature_timestep, self._backbone.empty_prompt(self.config.noises))
        means = {name: values.float().mean(0).double().cpu().numpy() for name, values in tap.features.items()}
        sizes = range(self.config.min_tokens, self.config.max_tokens + 1)
        fitting = [name for name in layers if len(means[name]) in sizes]
        down = [name for name in fitting if name.startswith("down_blocks.")]
        if not down:
            found = sorted({len(means[name]) for name in layers})
            raise ValueError(f"no encoder layer has {sizes[0]} to {sizes[-1]} positions; this generator has {found}")
        # Modules are listed encoder, decoder, middle; a middle layer of that size would be no later than the decoder's.
        last = next((name for name in reversed(fitting) if name.startswith("up_blocks.")), down[-1])
        return LayerFeatures(encoder=means[down[-1]], keys=means[f"{last}.to_k"])

    @property
    def _backbone(self) -> Backbone:
        return self.model.backbone

    def _denoise(self, timestep: int, conditioning: Conditioning) -> None:
        generator = torch.Generator().manual_seed(self.config.seed)
        noise = torch.randn((self.config.noises, *self.encoded.shape[1:]), generator=generator).to(self.encoded)
        noisy = add_noise(self.encoded, noise, float(self._backbone.alphas_cumprod[timestep]))
        self._backbone.denoise(noisy, timestep, conditioning)


def _one_row(maps: AttentionMaps) -> AttentionMaps:
    return AttentionMaps(
        cross={layer: values.mean(0, keepdim=True).cpu() for layer, values in maps.cross.items()},
        self_={layer: values.mean(0, keepdim=True).cpu() for layer, values in maps.self_.items()},
        grids=maps.grids,
        steps=maps.steps,
    )
