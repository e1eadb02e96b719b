"""Features of a generator learn to predict what an encoder that knows class names finds (after REPA, Yu et al. 2024).

A small generator's features know little of what is in a picture, and captions alone teach it slowly. An encoder learns
the names many times faster; aligned with it, the generator's features find objects better (recipes/mini, "Generator").
"""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional

from diffusionseg.backbone import computes_bfloat16
from diffusionseg.pretraining.autoencoder import PatchComponents
from diffusionseg.pretraining.batches import aligned_crops
from diffusionseg.pretraining.config import PretrainConfig
from diffusionseg.pretraining.generator import Generator, build_scheduler
from diffusionseg.pretraining.photos import Photos
from diffusionseg.recognition import Encoder, EncoderShape, train_encoder
from diffusionseg.training import Report, step_generator

HIDDEN = 384
"""Channels between a feature and what it predicts."""
EXAMPLES = 512
"""Crops from which means and deviations are taken."""


def build_encoder(seed: int, device: torch.device) -> Encoder:
    """An untrained encoder on `device`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = Encoder(EncoderShape())
    # PyTorch types either a device or a format, and takes both.
    encoder.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return encoder


def learn_names(
    encoder: Encoder, photos: Photos, place: Path, config: PretrainConfig, device: torch.device, report: Report
) -> None:
    """Train `encoder` on the classes of the photographs; its training in `place` goes on if need be."""
    train_encoder(
        encoder,
        photos,
        place,
        config.encoder,
        side=config.image_size,
        seed=config.seed,
        dtype="bf16" if computes_bfloat16(device) else "fp32",
        save_every=config.save_every,
        device=device,
        report=report,
    )


class Alignment(nn.Module):
    """From the U-Net's features at its coarsest grid (middle block) and at the next (first up block) to the two
    coarsest grids of an encoder, which reads pictures of twice their side: with a U-Net of three resolutions the grids
    are then as large, with others the encoder's are averaged or repeated to the U-Net's."""

    def __init__(self, unet: UNet2DConditionModel, encoder: Encoder) -> None:
        super().__init__()
        coarse = unet.config.block_out_channels[-1]
        groups = unet.config.norm_num_groups
        self.mid = _predictor(coarse, groups, encoder.shape.widths[-1])
        self.up = _predictor(coarse, groups, encoder.shape.widths[-2])
        for name, width in zip(("mid", "up"), encoder.shape.widths[:-3:-1], strict=True):
            self.register_buffer(f"{name}_mean", torch.zeros(1, width, 1, 1))
            self.register_buffer(f"{name}_deviation", torch.ones(1, width, 1, 1))

    @torch.no_grad()
    def standardise(self, encoder: Encoder, pictures: Tensor) -> None:
        """Take means and deviations of the encoder's channels from pictures (B, 3, S, S) in 0…1."""
        # In parts, since the encoder's first grids are large.
        parts = [_found(encoder, some) for some in torch.split(pictures, 32)]
        for name, of_parts in zip(("mid", "up"), zip(*parts, strict=True), strict=True):
            found = torch.cat(of_parts)
            deviation, mean = torch.std_mean(found, (0, 2, 3), keepdim=True)
            getattr(self, f"{name}_mean").copy_(mean)
            getattr(self, f"{name}_deviation").copy_(deviation.clamp(min=1e-4))

    def forward(self, mid: Tensor, up: Tensor, encoder: Encoder, pictures: Tensor) -> Tensor:
        """Mean over both grids of 1 − cosine, 0…2, for features (B, C, h, w) of the middle block and (B, C, H, W) of
        the first up block of pictures (B, 3, S, S) in 0…1."""
        losses = []
        for name, feature, found in zip(("mid", "up"), (mid, up), _found(encoder, pictures), strict=True):
            wanted = (found - getattr(self, f"{name}_mean")) / getattr(self, f"{name}_deviation")
            predicted = getattr(self, name)(feature.float())
            if predicted.shape[-2:] != wanted.shape[-2:]:
                wanted = functional.adaptive_avg_pool2d(wanted, predicted.shape[-2:])
            losses.append(1 - functional.cosine_similarity(predicted.float(), wanted, dim=1).mean())
        return torch.stack(losses).mean()


class Aligner:
    """The alignment of a generator with an encoder, step by step; its predictors become a part of the generator, to be
    trained, averaged and kept with it, and are left out where its folder is written."""

    def __init__(
        self,
        model: Generator,
        encoder: Encoder,
        photos: Photos,
        components: PatchComponents,
        empty: Tensor,
        config: PretrainConfig,
        device: torch.device,
    ) -> None:
        """`encoder` lies on `device`; `photos` may be of any classes; `empty` (1, L) are the token ids of the empty
        caption."""
        self._model, self._config, self._device = model, config, device
        self._encoder = encoder.eval().requires_grad_(False)
        self._components, self._empty = components, empty.to(device)
        self._alphas = build_scheduler().alphas_cumprod.to(device)
        self._features = deep_features
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self._alignment = Alignment(model.unet, encoder).to(device)
        model.add_module("alignment", self._alignment)
        self._alignment.standardise(self._encoder, aligned_crops(photos, EXAMPLES, config, 0).to(device))

    def compile(self) -> None:
        """Compile what reads the features."""
        self._features = torch.compile(deep_features, dynamic=False)

    def loss(self, step: int, pictures: Tensor) -> Tensor:
        """Mean of `Alignment` over this step's crops (B, 3, S, S) in 0…1, noised to timesteps drawn evenly below
        `aligned_below`, under the empty caption, as decoders read photographs."""
        latents = self._components.encode(pictures)
        drawn = step_generator(self._config.seed + 1, step, self._device)
        timesteps = torch.randint(self._config.aligned_below, (len(latents),), generator=drawn, device=self._device)
        noise = torch.randn(latents.shape, generator=drawn, device=self._device)
        alpha = self._alphas[timesteps].view(-1, 1, 1, 1)
        noisy = (alpha.sqrt() * latents + (1 - alpha).sqrt() * noise).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=computes_bfloat16(self._device)):
            context = self._model.text_encoder(self._empty).last_hidden_state.expand(len(latents), -1, -1)
            mid, up = self._features(self._model.unet, noisy, timesteps, context)
            loss: Tensor = self._alignment(mid, up, self._encoder, pictures)
        return loss


def deep_features(
    unet: UNet2DConditionModel, noisy: Tensor, timesteps: Tensor, context: Tensor
) -> tuple[Tensor, Tensor]:
    """Outputs of the middle block and of the first up block for latents (B, C, h, w), timesteps (B,) and captions
    (B, L, D); what comes behind them is not computed."""
    embedded = unet.time_embedding(unet.time_proj(timesteps).to(noisy.dtype))
    hidden = unet.conv_in(noisy)
    skipped = (hidden,)
    for block in unet.down_blocks:
        hidden, more = block(hidden, embedded, encoder_hidden_states=context)
        skipped += more
    mid = unet.mid_block(hidden, embedded, encoder_hidden_states=context)
    last = unet.up_blocks[0]
    here = len(last.resnets)
    # The size of the next grid, which is not twice this one's where latents have an odd side.
    size = skipped[-here - 1].shape[-2:] if last.upsamplers else None
    return mid, last(mid, skipped[-here:], embedded, encoder_hidden_states=context, upsample_size=size)


@torch.no_grad()
def _found(encoder: Encoder, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """The coarsest grid of the encoder and the next, in float32."""
    larger = functional.interpolate(pictures, scale_factor=2.0, mode="bilinear", align_corners=False)
    next_one, coarsest = encoder.encode(larger.contiguous(memory_format=torch.channels_last))[-2:]
    return coarsest.float(), next_one.float()


def _predictor(channels: int, groups: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.GroupNorm(groups, channels), nn.Conv2d(channels, HIDDEN, 1), nn.SiLU(), nn.Conv2d(HIDDEN, width, 1)
    )
