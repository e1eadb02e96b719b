"""Memory that runs out, numbers that a half format cannot hold, and model files that are not what they say."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import given
from safetensors.torch import load_file, save_file

from diffusionseg.backbone import Backbone, BackboneLoadError, overflow
from diffusionseg.backbone.loading import _check_weights
from diffusionseg.backbone.random_models import tiny_backbone
from diffusionseg.memory import OutOfMemory, Room, ran_out, unless_out_of_memory
from hostile import damaged, few, refused_by_name

UNET = "unet/diffusion_pytorch_model.safetensors"


def too_much() -> torch.Tensor:
    return torch.empty(2**60, dtype=torch.uint8)


def test_want_of_memory_is_told_from_other_errors():
    with pytest.raises(RuntimeError) as caught:
        too_much()
    assert ran_out(caught.value)
    for error in (MemoryError(), torch.OutOfMemoryError("x"), RuntimeError("MPS backend out of memory (MPS …)")):
        assert ran_out(error)
    for error in (RuntimeError("shapes cannot be multiplied"), ValueError("out of memory"), KeyboardInterrupt()):
        assert not ran_out(error)
    assert unless_out_of_memory(too_much) is None
    assert unless_out_of_memory(lambda: 3) == 3
    with pytest.raises(KeyError):
        unless_out_of_memory(lambda: {}[0])


def test_room_halves_says_so_and_ends_with_a_remedy(caplog):
    room = Room(7, "photographs", "use a smaller one")
    room.shrink(7)
    room.shrink(2)
    assert room.most == 1
    assert [r.getMessage() for r in caplog.records] == [
        "out of memory with 7 photographs at a time; going on with 3",
        "out of memory with 2 photographs at a time; going on with 1",
    ]
    with pytest.raises(OutOfMemory, match=r"with one at a time \(photographs\); use a smaller one"):
        room.shrink(1)


def test_a_copy_in_float32_has_the_same_weights_and_leaves_the_other_alone(caplog, pictures):
    overflow._tell.cache_clear()
    half = tiny_backbone("sdxl").to(dtype=torch.float16)
    before = {name: value.clone() for name, value in half.unet.state_dict().items()}
    wide = overflow.in_float32(half)
    assert overflow.may_overflow(half)
    assert not overflow.may_overflow(wide)
    assert {p.dtype for m in (wide.unet, wide.vae, *wide.text_encoders) for p in m.parameters()} == {torch.float32}
    assert (half.dtype, half.unet.dtype, half.text_encoders[0].dtype) == (torch.float16,) * 3
    assert all(torch.equal(value, before[name]) for name, value in half.unet.state_dict().items())
    assert wide.fingerprint == half.fingerprint
    assert wide.encode_images(pictures(1, 64, 64)).isfinite().all()
    overflow.in_float32(half)
    assert [r.getMessage() for r in caplog.records] == [
        "tiny-sdxl gave no numbers in float16; what is concerned is computed again in float32"
    ]


def test_an_image_beyond_all_numbers_is_none_rather_than_white():
    broken = tiny_backbone("sd1")
    with torch.no_grad():
        broken.vae.decoder.conv_out.bias.fill_(float("inf"))
    assert broken.decode_latents(torch.ones(1, 4, 8, 8)).isnan().any()


@pytest.fixture
def copy(saved, tmp_path):
    return shutil.copytree(saved("sd1"), tmp_path / "generator")


@pytest.mark.parametrize("part", ["unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model"])
def test_missing_weights_are_not_drawn_at_random(copy, part):
    path = copy / f"{part}.safetensors"
    weights = load_file(path)
    del weights[sorted(weights)[3]]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(BackboneLoadError, match=rf"generator: {path.parent.name}/ lacks weights \(.*download it again"):
        Backbone.from_pretrained(copy, device="cpu")


@pytest.mark.parametrize("named", ["../../elsewhere.safetensors", "weights.bin", "/etc/passwd", 3])
def test_an_index_names_safetensors_files_beside_it_only(copy, named):
    (copy / UNET).rename(copy / "unet" / "diffusion_pytorch_model-00001-of-00001.safetensors")
    (copy / "unet" / "weights.bin").write_bytes(b"pickle")
    index = {"metadata": {}, "weight_map": {"conv_in.weight": named}}
    (copy / f"{UNET}.index.json").write_text(json.dumps(index))
    with pytest.raises(BackboneLoadError, match=r"index\.json names weights that are no safetensors file beside it"):
        Backbone.from_pretrained(copy, device="cpu")


@pytest.mark.parametrize(
    ("file", "entry", "value"),
    [
        ("unet/config.json", "sample_size", None),
        ("vae/config.json", "scaling_factor", "a"),
        ("scheduler/scheduler_config.json", "num_train_timesteps", 10**13),
        ("scheduler/scheduler_config.json", "beta_start", float("nan")),
        ("tokenizer/tokenizer_config.json", "model_max_length", "a"),
    ],
)
def test_configurations_that_are_nonsense_are_named(copy, file, entry, value):
    path = copy / file
    path.write_text(json.dumps({**json.loads(path.read_text()), entry: value}))
    with pytest.raises(BackboneLoadError, match=r"generator: its configuration cannot be used"):
        Backbone.from_pretrained(copy, device="cpu")


def test_headers_of_weights(saved, tmp_path):
    path = tmp_path / "unet" / "model.safetensors"
    path.parent.mkdir()
    whole = (saved("sd1") / "text_encoder" / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    header = json.loads(whole[8 : 8 + length])
    name = next(n for n in header if n != "__metadata__")
    rest = whole[8 + length :]

    def with_header(**entry: object) -> bytes:
        other = json.dumps({**header, name: {**header[name], **entry}}).encode()
        return struct.pack("<Q", len(other)) + other + rest

    wrong = [
        struct.pack("<Q", 2**63) + whole[8:],
        struct.pack("<Q", 10**9) + whole[8:],
        with_header(data_offsets=[0, 10**12]),
        with_header(data_offsets=[8, 0]),
        with_header(shape=[2**40, 2**40]),
        with_header(dtype="I32"),
        with_header(dtype="PICKLE"),
        whole[:-1],
        b"",
    ]
    for content in wrong:
        path.write_bytes(content)
        with pytest.raises(BackboneLoadError, match=r"unet/model\.safetensors"):
            _check_weights(Path("generator"), [path])

    @few
    @given(damaged([whole]))
    def look(content: bytes) -> None:
        path.write_bytes(content)
        refused_by_name(lambda: _check_weights(Path("generator"), [path]), BackboneLoadError, "unet/model.safetensors")

    look()
