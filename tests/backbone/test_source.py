"""Names to folders: which files of a repository are wanted, and what is said without a connection."""

from __future__ import annotations

import huggingface_hub
import pytest

from diffusionseg.backbone import BackboneLoadError
from diffusionseg.backbone.source import resolve_source, wanted_files, weight_variant

SD15 = [
    ".gitattributes",
    "README.md",
    "model_index.json",
    "v1-5-pruned.ckpt",
    "v1-5-pruned-emaonly.safetensors",
    "feature_extractor/preprocessor_config.json",
    "safety_checker/config.json",
    "safety_checker/model.safetensors",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.fp16.safetensors",
    "text_encoder/model.safetensors",
    "text_encoder/pytorch_model.bin",
    "tokenizer/merges.txt",
    "tokenizer/special_tokens_map.json",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.bin",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "unet/diffusion_pytorch_model.non_ema.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
    "vae_1_0/config.json",
]
SMALL = {
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "tokenizer/merges.txt",
    "tokenizer/special_tokens_map.json",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "unet/config.json",
    "vae/config.json",
}


@pytest.mark.parametrize(
    ("half", "weights"),
    [
        (
            False,
            {
                "text_encoder/model.safetensors",
                "unet/diffusion_pytorch_model.safetensors",
                "vae/diffusion_pytorch_model.safetensors",
            },
        ),
        (
            True,
            {
                "text_encoder/model.fp16.safetensors",
                "unet/diffusion_pytorch_model.fp16.safetensors",
                "vae/diffusion_pytorch_model.safetensors",
            },
        ),
    ],
)
def test_one_set_of_weights_and_nothing_else_is_fetched(half, weights):
    assert set(wanted_files(SD15, half)) == SMALL | weights


def test_all_shards_of_one_variant():
    shards = [f"unet/diffusion_pytorch_model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    half = [f"unet/diffusion_pytorch_model.fp16-0000{i}-of-00002.safetensors" for i in (1, 2)]
    index = ["unet/diffusion_pytorch_model.safetensors.index.json"]
    assert set(wanted_files(shards + half + index, half=False)) == {*shards, *index}
    assert set(wanted_files(shards + half + index, half=True)) == {*half, *index}


def test_variants():
    assert weight_variant(["model.safetensors", "model.fp16.safetensors"], half=False) is None
    assert weight_variant(["model.fp16.safetensors"], half=False) == "fp16"
    assert weight_variant(["model.safetensors"], half=True) is None
    with pytest.raises(LookupError):
        weight_variant(["pytorch_model.bin", "config.json"], half=False)


@pytest.mark.parametrize("name", ["nowhere", "./nowhere", "/no/such/folder", "~/nowhere-at-all", "a/b/c", "with space"])
def test_paths_that_do_not_exist_are_never_looked_up(name, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: pytest.fail("asked the hub"))
    with pytest.raises(BackboneLoadError, match="no such folder"):
        resolve_source(name)


def test_a_file_is_no_generator(tmp_path):
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(BackboneLoadError, match=r"model\.safetensors: is a file"):
        resolve_source(tmp_path / "model.safetensors")


def test_hub_id_is_fetched_with_the_wanted_files_only(monkeypatch, tmp_path):
    asked = {}
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", lambda self, name, revision: SD15)

    def download(name, **options):
        asked.update(options, name=name)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert resolve_source("owner/name", revision="v2", half=True) == tmp_path
    assert asked["name"] == "owner/name"
    assert asked["revision"] == "v2"
    assert asked["local_files_only"] is False
    assert set(asked["allow_patterns"]) == set(wanted_files(SD15, half=True))


@pytest.mark.parametrize("why", ["variable", "argument"])
def test_offline_asks_the_cache_alone_and_says_what_to_do(monkeypatch, tmp_path, why):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", why == "variable")
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", lambda *_, **__: pytest.fail("used network"))
    with pytest.raises(BackboneLoadError, match=r"owner/name: neither a local folder.*--model mini") as caught:
        resolve_source("owner/name", local_files_only=why == "argument", cache_dir=tmp_path)
    assert "give its path" in str(caught.value)


def test_connection_failure_falls_back_to_the_cache_then_names_the_reason(monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)

    def refuse(self, name, revision):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", refuse)
    with pytest.raises(BackboneLoadError, match=r"ConnectionError: no route to host"):
        resolve_source("owner/name", cache_dir=tmp_path)
