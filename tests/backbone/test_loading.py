"""Folders: what goes out comes back, and what is wrong is said."""

from __future__ import annotations

import json
import shutil
import sys
import types

import pytest
import torch
from safetensors.torch import load_file, save_file

from diffusionseg.backbone import Backbone, BackboneLoadError, FeatureTap
from diffusionseg.backbone.random_models import tiny_backbone


@pytest.fixture
def copy(saved, tmp_path):
    """A writable copy of the saved sd1 generator."""
    return shutil.copytree(saved("sd1"), tmp_path / "generator")


def test_round_trip(backbone, saved, noise):
    family = backbone.name.removeprefix("tiny-")
    loaded = Backbone.from_pretrained(saved(family), device="cpu")
    assert loaded.dtype == torch.float32
    assert loaded.prediction_type == backbone.prediction_type
    assert (loaded.downscale, loaded.image_size, loaded.latent_channels) == (2, 64, 4)
    assert torch.equal(loaded.alphas_cumprod, backbone.alphas_cumprod)
    assert loaded.final_alpha_cumprod == backbone.final_alpha_cumprod < 1
    mine, theirs = (b.encode_prompts(["a photo of a cat"], ["cat"]) for b in (backbone, loaded))
    assert torch.equal(mine.embeddings, theirs.embeddings)
    assert mine.spans == theirs.spans
    latents = noise(1, 4, 16, 16)
    assert torch.equal(backbone.denoise(latents, 3, mine), loaded.denoise(latents, 3, theirs))


def test_loaded_models_are_frozen(saved):
    loaded = Backbone.from_pretrained(saved("sdxl"), device="cpu")
    for module in (loaded.unet, loaded.vae, *loaded.text_encoders):
        assert not module.training
        assert not any(p.requires_grad for p in module.parameters())


def test_nothing_is_printed(saved, tmp_path, capfd):
    Backbone.from_pretrained(saved("sdxl"), device="cpu").save_pretrained(tmp_path / "again")
    assert capfd.readouterr() == ("", "")


def test_weights_stored_as_half_are_widened_on_the_cpu(copy):
    for path in copy.rglob("*.safetensors"):
        save_file({k: v.half() for k, v in load_file(path).items()}, path, metadata={"format": "pt"})
    loaded = Backbone.from_pretrained(copy, device="cpu")
    for module in (loaded.unet, loaded.vae, *loaded.text_encoders):
        assert {p.dtype for p in module.parameters()} == {torch.float32}


def test_half_variant_files_are_found(copy):
    for path in copy.rglob("*.safetensors"):
        path.rename(path.with_name(path.name.replace(".safetensors", ".fp16.safetensors")))
    assert Backbone.from_pretrained(copy, device="cpu").dtype == torch.float32


def test_a_folder_that_is_only_half_overwritten_is_refused(copy, monkeypatch):
    backbone = Backbone.from_pretrained(copy, device="cpu")

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(backbone.vae), "save_pretrained", interrupted)
    with pytest.raises(KeyboardInterrupt):
        backbone.save_pretrained(copy)
    with pytest.raises(BackboneLoadError, match=r"generator: .*model_index\.json"):
        Backbone.from_pretrained(copy, device="cpu")


def test_unneeded_components_are_ignored(copy):
    (copy / "safety_checker").mkdir()
    (copy / "safety_checker" / "pytorch_model.bin").write_bytes(b"pickle")
    index = json.loads((copy / "model_index.json").read_text())
    index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    (copy / "model_index.json").write_text(json.dumps(index))
    assert Backbone.from_pretrained(copy, device="cpu").image_size == 64


def test_sdxl_without_zeroed_empty_prompt(saved, tmp_path):
    folder = shutil.copytree(saved("sdxl"), tmp_path / "g")
    index = json.loads((folder / "model_index.json").read_text())
    assert index["force_zeros_for_empty_prompt"] is True
    index["force_zeros_for_empty_prompt"] = False
    (folder / "model_index.json").write_text(json.dumps(index))
    loaded = Backbone.from_pretrained(folder, device="cpu")
    assert torch.equal(loaded.empty_prompt(1).embeddings, loaded.encode_prompts([""]).embeddings)


@pytest.mark.parametrize("piece", ["unet", "vae", "text_encoder", "tokenizer", "scheduler"])
def test_missing_component_is_named(copy, piece):
    shutil.rmtree(copy / piece)
    with pytest.raises(BackboneLoadError, match=rf"generator: has no {piece}/ .*StableDiffusionPipeline"):
        Backbone.from_pretrained(copy, device="cpu")


@pytest.mark.parametrize("file", ["model_index.json", "unet/config.json", "scheduler/scheduler_config.json"])
def test_missing_and_broken_configuration_is_named(copy, file):
    (copy / file).write_text("{")
    with pytest.raises(BackboneLoadError, match=rf"generator: {file} is not valid JSON"):
        Backbone.from_pretrained(copy, device="cpu")
    (copy / file).unlink()
    with pytest.raises(BackboneLoadError, match=rf"generator: has no {file}"):
        Backbone.from_pretrained(copy, device="cpu")


def test_only_pickled_weights(copy):
    for path in (copy / "unet").glob("*.safetensors"):
        path.rename(path.with_suffix(".bin"))
    with pytest.raises(BackboneLoadError, match=r"generator: unet/ holds only pickled weights.*convert them"):
        Backbone.from_pretrained(copy, device="cpu")


def test_no_weights(copy):
    for path in (copy / "vae").glob("*.safetensors"):
        path.unlink()
    with pytest.raises(BackboneLoadError, match=r"generator: vae/ has no weights"):
        Backbone.from_pretrained(copy, device="cpu")


def test_truncated_weights(copy):
    path = next((copy / "unet").glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BackboneLoadError, match=rf"generator: unet/{path.name} is damaged .*download it again"):
        Backbone.from_pretrained(copy, device="cpu")


def test_channels_that_do_not_fit():
    parts = tiny_backbone("sd1")
    parts.unet.register_to_config(in_channels=9)
    with pytest.raises(ValueError, match="takes 9 channels, the VAE makes 4: inpainting"):
        Backbone(
            unet=parts.unet,
            vae=parts.vae,
            text_encoders=parts.text_encoders,
            tokenizers=parts.tokenizers,
            scheduler_config=parts.scheduler_config,
        )


def test_replica_shares_weights_but_not_taps(tiny, noise):
    backbone, latents = tiny("sd1"), noise(1, 4, 16, 16)
    other = backbone.replica()
    assert other.unet is not backbone.unet
    mine, theirs = list(backbone.unet.parameters()), list(other.unet.parameters())
    assert all(a is b for a, b in zip(mine, theirs, strict=True))
    with FeatureTap(backbone) as tap:
        output = other.denoise(latents, 500, other.encode_prompts(["a cat"]))
    assert not tap.features
    assert torch.equal(output, backbone.denoise(latents, 500, backbone.encode_prompts(["a cat"])))


def test_mini_is_the_packaged_folder(saved, monkeypatch):
    fake = types.ModuleType("diffusionseg.mini")
    fake.model_path = lambda: saved("sd2-v")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "diffusionseg.mini", fake)
    loaded = Backbone.from_pretrained("mini", device="cpu")
    assert loaded.name == "mini"
    assert loaded.prediction_type == "v_prediction"
