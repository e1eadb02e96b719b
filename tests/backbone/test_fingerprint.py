"""The fingerprint tells generators apart, and nothing else."""

from __future__ import annotations

import re

import torch

from diffusionseg.backbone import Backbone
from diffusionseg.backbone.random_models import tiny_backbone


def test_same_for_memory_folder_and_number_format(backbone, saved):
    family = backbone.name.removeprefix("tiny-")
    prints = {
        backbone.fingerprint,
        tiny_backbone(family).fingerprint,
        Backbone.from_pretrained(saved(family), device="cpu").fingerprint,
        Backbone.from_pretrained(saved(family), device="cpu", dtype=torch.float16).fingerprint,
        Backbone.from_pretrained(saved(family), device="cpu", dtype="bfloat16").fingerprint,
    }
    assert len(prints) == 1
    assert re.fullmatch(r"[0-9a-f]{64}", prints.pop())


def test_differs_between_families_seeds_and_schedules(tiny):
    plain = tiny("sd1")
    other_schedule = Backbone(
        unet=plain.unet,
        vae=plain.vae,
        text_encoders=plain.text_encoders,
        tokenizers=plain.tokenizers,
        scheduler_config=plain.scheduler_config | {"beta_end": 0.02},
    )
    prints = [
        plain.fingerprint,
        tiny("sd2-v").fingerprint,
        tiny_backbone("sd1", seed=1).fingerprint,
        other_schedule.fingerprint,
    ]
    assert len(set(prints)) == 4


def test_one_changed_weight_is_seen():
    backbone = tiny_backbone("sd1")
    with torch.no_grad():
        backbone.unet.conv_out.bias[0] += 1
    assert backbone.fingerprint != tiny_backbone("sd1").fingerprint
