"""Devices and number formats: what is asked for, or an error."""

from __future__ import annotations

import pytest
import torch

from diffusionseg.backbone import (
    Backbone,
    DeviceUnavailableError,
    computes_bfloat16,
    resolve_device,
    resolve_dtype,
)


@pytest.fixture
def no_accelerator(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.usefixtures("no_accelerator")
def test_without_accelerator():
    assert resolve_device("auto") == torch.device("cpu")
    for name in ("cuda", "cuda:0", "mps"):
        with pytest.raises(DeviceUnavailableError, match=f"{name!r} was asked for"):
            resolve_device(name)


@pytest.mark.usefixtures("two_gpus")
def test_with_two_gpus():
    assert resolve_device("auto") == resolve_device("cuda") == torch.device("cuda", 0)
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    assert resolve_device("cpu") == torch.device("cpu")
    with pytest.raises(DeviceUnavailableError, match="only cuda:0 to cuda:1 exist"):
        resolve_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "", "meta", "cuda:x"])
def test_unknown_names(name):
    with pytest.raises(ValueError, match="use auto, cpu, cuda, cuda:N or mps"):
        resolve_device(name)


def test_number_formats():
    assert resolve_dtype(None, torch.device("cpu")) == torch.float32
    assert resolve_dtype("auto", torch.device("mps")) == torch.float32
    assert resolve_dtype(None, torch.device("cuda", 0)) == torch.float16
    assert resolve_dtype("bfloat16", torch.device("cpu")) == torch.bfloat16
    assert resolve_dtype(torch.float64, torch.device("cpu")) == torch.float64
    for wrong in ("int8", "float99", torch.int64):
        with pytest.raises(ValueError, match="unknown"):
            resolve_dtype(wrong, torch.device("cpu"))


@pytest.mark.usefixtures("no_accelerator")
def test_loading_on_a_missing_device_fails_before_anything_is_read(tmp_path):
    with pytest.raises(DeviceUnavailableError):
        Backbone.from_pretrained(tmp_path / "not there", device="cuda")


@pytest.mark.accelerator
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_in_half_agrees_with_the_cpu(saved, noise):
    cpu = Backbone.from_pretrained(saved("sdxl"), device="cpu")
    gpu = Backbone.from_pretrained(saved("sdxl"), device="cuda")
    assert gpu.dtype == torch.float16
    outputs = [b.denoise(noise(1, 4, 16, 16).to(b.device), 500, b.encode_prompts(["a cat"])) for b in (cpu, gpu)]
    torch.testing.assert_close(outputs[1].cpu(), outputs[0], rtol=0.02, atol=0.02)


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [({"amx_bf16": True}, True), ({"avx512_bf16": True}, True), ({"bf16": True}, True), ({"avx2": True}, False)],
)
def test_a_processor_computes_bfloat16_where_it_says_so(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert computes_bfloat16(torch.device("cpu")) is expected


def test_no_processor_computes_bfloat16_where_pytorch_cannot_tell(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert computes_bfloat16(torch.device("cpu")) is False
