"""Diffusion features of pictures in both modes."""

from __future__ import annotations

import pytest
import torch

from diffusionseg.backbone import FeatureTap, invert
from diffusionseg.backbone.ddim import timestep_schedule
from diffusionseg.backbone.schedule import add_noise


@pytest.mark.parametrize("mode", ["noise", "inversion"])
def test_keys_shapes_and_format(backbone, pictures, mode):
    features = backbone.features(pictures(2, 32, 48), (100, 40), mode=mode, steps=2)
    assert set(features) == {f"up_blocks.{i}@{t}" for i in (0, 1) for t in (100, 40)}
    assert features["up_blocks.0@40"].shape == (2, 32, 16, 24)
    assert features["up_blocks.1@100"].shape == (2, 16, 16, 24)
    assert all(f.dtype == torch.float32 and torch.isfinite(f).all() for f in features.values())
    # A decoder is trained on them: they are ordinary tensors, outside inference mode.
    assert not any(f.requires_grad or f.is_inference() for f in features.values())


def test_noise_mode_is_one_call_on_the_noised_latent(tiny, pictures):
    backbone, images = tiny("sd2-v"), pictures(1, 32, 32)
    found = backbone.features(images, [300], noise_seed=9)
    eps = torch.randn(4, 16, 16, generator=torch.Generator().manual_seed(9))
    noisy = add_noise(backbone.encode_images(images), eps[None], float(backbone.alphas_cumprod[300]))
    with FeatureTap(backbone) as tap:
        backbone.denoise(noisy, 300, backbone.empty_prompt(1))
    torch.testing.assert_close(found["up_blocks.1@300"], tap.features["up_blocks.1"])
    other = backbone.features(images, [300], noise_seed=10)
    assert not torch.equal(found["up_blocks.1@300"], other["up_blocks.1@300"])


def test_inversion_mode_reads_the_inverted_latent(tiny, pictures):
    backbone, images = tiny("sd1"), pictures(1, 32, 32)
    found = backbone.features(images, (150, 400), mode="inversion", steps=4)
    steps = {*timestep_schedule(4, t_max=400), 150}
    prompt = backbone.empty_prompt(1)
    trajectory = dict(invert(backbone, backbone.encode_images(images), prompt, steps))
    for t in (150, 400):
        with FeatureTap(backbone) as tap:
            backbone.denoise(trajectory[t], t, prompt)
        torch.testing.assert_close(found[f"up_blocks.0@{t}"], tap.features["up_blocks.0"])


@pytest.mark.parametrize("mode", ["noise", "inversion"])
def test_result_of_a_picture_does_not_depend_on_its_batch(tiny, pictures, mode):
    backbone, images = tiny("sd1"), pictures(3, 32, 32)
    together = backbone.features(images, [100], mode=mode, steps=2)
    alone = backbone.features(images[1], [100], mode=mode, steps=2)
    for key, values in alone.items():
        torch.testing.assert_close(values[0], together[key][1], rtol=1e-3, atol=1e-4)


def test_number_of_calls(tiny, pictures):
    backbone, calls = tiny("sd1"), []
    handle = backbone.unet.register_forward_pre_hook(lambda *_: calls.append(1))
    try:
        backbone.features(pictures(1, 32, 32), (50, 200))
        assert len(calls) == 2
        backbone.features(pictures(1, 32, 32), (199, 399), mode="inversion", steps=4)  # 99, 199, 299, 399
        assert len(calls) == 2 + 4 + 2
    finally:
        handle.remove()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timesteps": ()}, "timesteps is empty"),
        ({"timesteps": (1000,)}, "timesteps must lie in 0 … 999"),
        ({"mode": "magic"}, "mode must be 'noise' or 'inversion'"),
        ({"layers": ["up_blocks.9"]}, "unknown layer 'up_blocks.9'"),
        ({"layers": ["up_blocks.0", "up_blocks"]}, "'up_blocks' gives nothing, since the U-Net does not call it"),
        ({"layers": ["time_embedding"]}, r"'time_embedding' gives no feature map \(B, C, h, w\), but \(1, "),
    ],
)
def test_wrong_arguments(tiny, pictures, options, message):
    with pytest.raises(ValueError, match=message):
        tiny("sd1").features(pictures(1, 32, 32), **options)
