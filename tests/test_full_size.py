"""Stable Diffusion 1.5, 2.1 and XL at full size with random weights: synthesis with AttentionCut, inversion
and features run, in bounded memory.

Pictures are smaller than the models' own where that saves minutes on two cores; layers, widths and weights are those of
the published models.
"""

from __future__ import annotations

import resource
import sys

import numpy as np
import pytest
import torch

from diffusionseg.attentioncut import attention_cut
from diffusionseg.backbone import AttentionTap, Conditioning, computes_bfloat16, invert, sample
from diffusionseg.backbone.ddim import timestep_schedule
from diffusionseg.backbone.random_models import full_size_backbone

LIMIT_GB = 20


def peak_memory_gb():
    """Highest resident memory of this process so far; kilobytes on Linux, bytes on macOS."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "linux" else 2**30)


def min_energy_of_a_constant_cut(probability):
    """Energy of "all background" or "all object", whichever is lower: no edge is cut, so the exact minimum is below."""
    return min(-np.log1p(-probability).sum(), -np.log(probability).sum()) + 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "millions", "form", "native", "side", "grids", "layers"),
    [
        ("sd15", 860, "epsilon", 512, 256, {(16, 16), (32, 32)}, 10),
        ("sd21", 866, "v_prediction", 768, 256, {(16, 16), (32, 32)}, 10),
        ("sdxl", 2567, "epsilon", 1024, 256, {(16, 16)}, 10),
    ],
)
def test_full_size(family, millions, form, native, side, grids, layers):
    # A CPU without bfloat16 of its own would take hours.
    dtype = torch.bfloat16 if computes_bfloat16(torch.device("cpu")) else torch.float32
    backbone = full_size_backbone(family, dtype)
    assert round(sum(p.numel() for p in backbone.unet.parameters()) / 1e6) == millions
    assert (backbone.prediction_type, backbone.image_size, backbone.downscale) == (form, native, 8)

    prompt = backbone.encode_prompts(["a photo of a school bus"], ["school bus"])
    both = Conditioning.concat([backbone.empty_prompt(1), prompt])
    start = torch.randn(1, 4, side // 8, side // 8, generator=torch.Generator().manual_seed(0))
    outputs = []

    def guided(latents, t):
        outputs.append(backbone.denoise(torch.cat([latents, latents]), t, both))
        without, with_ = outputs[-1].chunk(2)
        return without + 5 * (with_ - without)

    with AttentionTap(backbone, both, rows=slice(1, None)) as tap:
        *_, (_, clean) = sample(backbone, start, both, timestep_schedule(2), predict=guided)
    maps = tap.maps()
    assert maps.steps == 2
    assert set(maps.grids.values()) == grids
    assert len(maps.cross) == len(maps.self_) == layers
    for values in maps.self_.values():
        torch.testing.assert_close(values.sum(-1), torch.ones_like(values[..., 0]), rtol=1e-4, atol=1e-4)
    for name, values in maps.cross.items():
        assert values.shape == (1, *maps.grids[name])
        assert 0 < float(values.min()) <= float(values.max()) < 1
    # The first call again, without taps: the same bits.
    assert torch.equal(outputs[0], backbone.denoise(torch.cat([start, start]), 999, both))

    pixels = backbone.decode_latents(clean)[0].permute(1, 2, 0).mul(255).round().to(torch.uint8).numpy()
    cross = [values[0].numpy() for values in maps.cross.values()]
    affinities = [values[0].numpy() for values in maps.self_.values()]
    cut = attention_cut(cross, affinities, [maps.grids[name] for name in maps.self_], pixels)
    assert cut.pseudo_mask.shape == (side, side)
    assert cut.labels.shape == max(grids)
    assert cut.energy["total"] <= min_energy_of_a_constant_cut(cut.probability)

    image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(1))
    latents = backbone.encode_images(image)
    assert latents.shape == clean.shape
    ((t, inverted),) = invert(backbone, latents, backbone.empty_prompt(1), [20])
    assert t == 20
    assert torch.isfinite(inverted).all()
    assert not torch.equal(inverted, latents)
    features = backbone.features(image, (20,))
    assert len(features) == len(backbone.unet.up_blocks)
    assert all(torch.isfinite(values).all() for values in features.values())
    print(f"\n{family}: peak memory of the process so far {peak_memory_gb():.1f} GB")
    assert peak_memory_gb() < LIMIT_GB
