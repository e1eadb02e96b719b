"""The small text-conditioned U-Net, its text encoder and its training loss."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from diffusionseg.backbone import Backbone, computes_bfloat16


@dataclass(frozen=True)
class GeneratorConfig:
    """Size of a small generator."""

    latent_channels: int = 12
    """Channels of the autoencoder's latents, 4 to 32."""
    sample_size: int = 16
    """Side of the latents in training, in cells."""
    channels: tuple[int, ...] = (96, 160, 224)
    """U-Net channels at each resolution, finest first; multiples of 32."""
    layers_per_block: int = 1
    """Residual blocks at each resolution of the way down."""
    head_dim: int = 32
    """Channels of one attention head."""
    text_width: int = 192
    """Width of the text encoder, a multiple of 64."""
    text_layers: int = 2
    """Transformer layers of the text encoder."""

    def __post_init__(self) -> None:
        if any(c % 32 for c in self.channels) or len(self.channels) < 2:
            raise ValueError(f"channels must be two or more multiples of 32, got {self.channels}")


class Generator(nn.Module):
    """U-Net and text encoder as one module, so that one optimiser and one average hold both."""

    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel) -> None:
        super().__init__()
        self.unet = unet
        self.text_encoder = text_encoder

    def forward(self, noisy: Tensor, timesteps: Tensor, tokens: Tensor, captions: Tensor) -> Tensor:
        """Predict v for latents (B, C, h, w) and timesteps (B,); `tokens` (D, L) are the ids of the distinct captions,
        `captions` (B,) says which one belongs to each of the latents."""
        context = self.text_encoder(tokens).last_hidden_state[captions]
        output: Tensor = self.unet(noisy, timesteps, context).sample
        return output


def build_generator(config: GeneratorConfig, vocab_size: int, max_length: int) -> Generator:
    """An untrained generator; the last two token ids of the vocabulary are start and end."""
    depth = len(config.channels)
    unet = UNet2DConditionModel(
        sample_size=config.sample_size,
        in_channels=config.latent_channels,
        out_channels=config.latent_channels,
        block_out_channels=config.channels,
        down_block_types=("CrossAttnDownBlock2D",) * depth,
        up_block_types=("CrossAttnUpBlock2D",) * depth,
        layers_per_block=config.layers_per_block,
        cross_attention_dim=config.text_width,
        attention_head_dim=tuple(c // config.head_dim for c in config.channels),
        norm_num_groups=16,
    )
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocab_size,
            hidden_size=config.text_width,
            intermediate_size=4 * config.text_width,
            num_hidden_layers=config.text_layers,
            num_attention_heads=config.text_width // 64,
            max_position_embeddings=max_length,
            bos_token_id=vocab_size - 2,
            eos_token_id=vocab_size - 1,
            pad_token_id=vocab_size - 1,
            projection_dim=config.text_width,
        )
    )
    # Explicit attention: on CPUs the fused kernel's backward pass is slower in bf16.
    unet.set_attn_processor(AttnProcessor())
    return Generator(unet, text)


def prepare_for_gpu(model: Generator, compiled: bool) -> None:
    """Fused attention, since a processor's reasons against it do not hold there, and if wanted a compiled U-Net."""
    model.unet.set_attn_processor(AttnProcessor2_0())
    if compiled:
        # Each size of latents is compiled by itself: kernels for any size are slower.
        model.unet.compile(dynamic=False)
    torch.backends.cudnn.benchmark = True


def build_scheduler() -> DDIMScheduler:
    """Cosine schedule with v-prediction, which lets a small model learn shapes before texture."""
    return DDIMScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=True,
        timestep_spacing="trailing",
        steps_offset=1,
    )


def with_weights(model: Generator, weights: Mapping[str, Tensor]) -> Generator:
    """A copy of `model` with other weights, ready to be used; `model` is left alone."""
    other = copy.deepcopy(model).eval()
    other.load_state_dict(weights)
    return other


def as_backbone(model: Generator, vae: AutoencoderKL, tokenizer: CLIPTokenizer) -> Backbone:
    """A generator in training as everything else reads one, on its own device."""
    return Backbone(
        unet=model.unet,
        vae=vae,
        text_encoders=[model.text_encoder],
        tokenizers=[tokenizer],
        scheduler_config=dict(build_scheduler().config),
        device=next(model.parameters()).device,
    )


def draw_timesteps(count: int, train_steps: int, shift: float, generator: torch.Generator) -> Tensor:
    """`count` timesteps of 0 … `train_steps` − 1 (long), rising: t = s·u / (1 + (s − 1)·u) of the schedule for u drawn
    evenly and shift s, 1 or more, that favours high noise (Esser et al. 2024, eq. 23).

    They are stratified, one u in each of `count` equal parts, which lowers the variance of the loss.
    """
    device = generator.device
    even = (torch.arange(count, device=device) + torch.rand(count, generator=generator, device=device)) / count
    shifted = shift * even / (1 + (shift - 1) * even)
    return (shifted * train_steps).long().clamp_(max=train_steps - 1)


def velocity_loss(
    model: Generator,
    latents: Tensor,
    tokens: Tensor,
    captions: Tensor,
    alphas_cumprod: Tensor,
    generator: torch.Generator,
    timestep_shift: float = 1.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean squared error of v = √ᾱ ε − √(1−ᾱ) x₀ (Salimans & Ho 2022), for latents (B, C, h, w).

    `tokens` (D, L) and `captions` (B,) as in `Generator.forward`. Returns the mean, the error of each sample (B,) and
    the timesteps drawn (B,), see `draw_timesteps`.
    """
    timesteps = draw_timesteps(len(latents), len(alphas_cumprod), timestep_shift, generator).to(latents.device)
    noise = torch.randn(latents.shape, generator=generator, device=generator.device).to(latents)
    alpha = alphas_cumprod.to(latents)[timesteps].view(-1, 1, 1, 1)
    noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
    target = alpha.sqrt() * noise - (1 - alpha).sqrt() * latents
    with torch.autocast(latents.device.type, torch.bfloat16, enabled=computes_bfloat16(latents.device)):
        prediction = model(noisy, timesteps, tokens, captions)
    errors = functional.mse_loss(prediction.float(), target, reduction="none").mean((1, 2, 3))
    return errors.mean(), errors.detach(), timesteps
