"""Configurations of the Stable Diffusion families, full-size as published and shrunk for tests."""

from __future__ import annotations

from typing import Any, Literal

TinyFamily = Literal["sd1", "sd2-v", "sdxl"]
FullSizeFamily = Literal["sd15", "sd21", "sdxl"]

SCHEDULER: dict[str, Any] = {
    "_class_name": "DDIMScheduler",
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "timestep_spacing": "trailing",
}
"""The schedule that all three families share; the prediction type is added to it."""

_CROSS_DOWN, _CROSS_UP = "CrossAttnDownBlock2D", "CrossAttnUpBlock2D"

_SD_UNET: dict[str, Any] = {
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": (_CROSS_DOWN, _CROSS_DOWN, _CROSS_DOWN, "DownBlock2D"),
    "up_block_types": ("UpBlock2D", _CROSS_UP, _CROSS_UP, _CROSS_UP),
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
}


def _vae(side: int, scaling_factor: float, widths: tuple[int, ...] = (128, 256, 512, 512)) -> dict[str, Any]:
    return {
        "down_block_types": ("DownEncoderBlock2D",) * len(widths),
        "up_block_types": ("UpDecoderBlock2D",) * len(widths),
        "block_out_channels": widths,
        "layers_per_block": 2 if len(widths) == 4 else 1,
        "latent_channels": 4,
        "norm_num_groups": 32 if len(widths) == 4 else 8,
        "sample_size": side,
        "scaling_factor": scaling_factor,
    }


TEXT_ENCODERS: dict[str, dict[str, Any]] = {
    "clip-l": {
        "vocab_size": 49408,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "hidden_act": "quick_gelu",
        "projection_dim": 768,
    },
    "openclip-h": {
        "vocab_size": 49408,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 23,
        "num_attention_heads": 16,
        "hidden_act": "gelu",
        "projection_dim": 512,
    },
    "openclip-bigg": {
        "vocab_size": 49408,
        "hidden_size": 1280,
        "intermediate_size": 5120,
        "num_hidden_layers": 32,
        "num_attention_heads": 20,
        "hidden_act": "gelu",
        "projection_dim": 1280,
    },
}

FULL_SIZE: dict[str, dict[str, Any]] = {
    "sd15": {
        "unet": _SD_UNET | {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8},
        "vae": _vae(512, 0.18215),
        "text_encoders": ("clip-l",),
        "prediction_type": "epsilon",
    },
    "sd21": {
        "unet": _SD_UNET
        | {
            "sample_size": 96,
            "cross_attention_dim": 1024,
            "attention_head_dim": (5, 10, 20, 20),
            "use_linear_projection": True,
            "upcast_attention": True,
        },
        "vae": _vae(768, 0.18215),
        "text_encoders": ("openclip-h",),
        "prediction_type": "v_prediction",
    },
    "sdxl": {
        "unet": {
            "sample_size": 128,
            "in_channels": 4,
            "out_channels": 4,
            "down_block_types": ("DownBlock2D", _CROSS_DOWN, _CROSS_DOWN),
            "up_block_types": (_CROSS_UP, _CROSS_UP, "UpBlock2D"),
            "block_out_channels": (320, 640, 1280),
            "layers_per_block": 2,
            "transformer_layers_per_block": (1, 2, 10),
            "attention_head_dim": (5, 10, 20),
            "cross_attention_dim": 2048,
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2816,
        },
        "vae": _vae(1024, 0.13025) | {"force_upcast": True},
        "text_encoders": ("clip-l", "openclip-bigg"),
        "prediction_type": "epsilon",
    },
}

_TINY_UNET: dict[str, Any] = {
    "sample_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": (_CROSS_DOWN, _CROSS_DOWN),
    "up_block_types": (_CROSS_UP, _CROSS_UP),
    "block_out_channels": (16, 32),
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "cross_attention_dim": 32,
    "attention_head_dim": 2,
}
_TINY_TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "projection_dim": 32,
}

TINY: dict[str, dict[str, Any]] = {
    "sd1": {
        "unet": _TINY_UNET,
        "vae": _vae(64, 0.18215, (16, 32)),
        "text_encoders": (_TINY_TEXT,),
        "prediction_type": "epsilon",
    },
    "sd2-v": {
        "unet": _TINY_UNET | {"attention_head_dim": (2, 4), "use_linear_projection": True, "upcast_attention": True},
        "vae": _vae(64, 0.18215, (16, 32)),
        "text_encoders": (_TINY_TEXT | {"hidden_act": "gelu"},),
        "prediction_type": "v_prediction",
    },
    "sdxl": {
        "unet": _TINY_UNET
        | {
            "cross_attention_dim": 64,
            "attention_head_dim": (2, 4),
            "transformer_layers_per_block": (1, 2),
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 6 * 8 + 32,
        },
        "vae": _vae(64, 0.13025, (16, 32)) | {"force_upcast": True},
        "text_encoders": (_TINY_TEXT, _TINY_TEXT | {"hidden_act": "gelu"}),
        "prediction_type": "epsilon",
    },
}
