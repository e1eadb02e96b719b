"""A server over tiny random models, and what they ought to answer."""

import dataclasses
import gc
import socket

import pytest
import torch

from bright import Bright
from diffusionseg.backbone.random_models import tiny_backbone
from diffusionseg.exploitation import Decoder, DecoderConfig, DiffusionSeg, FeatureConfig, extract_features
from diffusionseg.synthesis import GateConfig, SynthesisConfig
from diffusionseg.web import LoadedModel, ServeConfig

FEATURES = FeatureConfig(timesteps=(50,))
COARSE = tuple(f"{block}.transformer_blocks.0" for block in ("mid_block.attentions.0", "up_blocks.0.attentions.0"))
"""Blocks with 16x16 positions, which are quick to cut."""


@pytest.fixture(autouse=True, scope="package")
def no_network():
    """Whatever asks for another machine fails, and so does the test."""
    asked = []
    look_up, connect = socket.getaddrinfo, socket.socket.connect

    def local(host):
        return host is None or str(host) in ("localhost", "127.0.0.1", "::1", "")

    def guarded_look_up(host, *arguments, **options):
        if not local(host):
            asked.append(host)
            raise OSError("the network is blocked")
        return look_up(host, *arguments, **options)

    def guarded_connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not local(address[0]):
            asked.append(address)
            raise OSError("the network is blocked")
        return connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", guarded_look_up)
        patch.setattr(socket.socket, "connect", guarded_connect)
        yield asked
    assert asked == []


@pytest.fixture(scope="session")
def segmenter():
    backbone = tiny_backbone("sd1")
    size = backbone.image_size
    channels = [level.shape[1] for level in extract_features(backbone, torch.zeros(1, 3, size, size), FEATURES)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return DiffusionSeg(backbone, Decoder(channels, DecoderConfig(width=16)), FEATURES)


@pytest.fixture(scope="session")
def models(segmenter):
    other = DiffusionSeg(
        segmenter.backbone,
        segmenter.decoder,
        FEATURES,
        dataclasses.replace(segmenter.predict_config, refine="none", threshold=0.4),
    )
    return {
        "tiny": LoadedModel("tiny", segmenter),
        "other": LoadedModel("other", other),
        "bright": LoadedModel("bright", Bright()),
    }


@pytest.fixture(scope="session")
def synthesis():
    """Few steps, and a gate that lets everything pass."""
    return SynthesisConfig(
        steps=3,
        attempts=1,
        reread_noises=1,
        reread_timesteps=(500,),
        cross_layers=tuple(f"{block}.attn2" for block in COARSE),
        self_layers=tuple(f"{block}.attn1" for block in COARSE),
        gate=GateConfig(min_area=0, max_area=1, max_border=1, max_ignore=1, min_agreement=0),
    )


@pytest.fixture(scope="session")
def client_of(models, synthesis):
    """Make a client of a server of its own; its limits are given by name."""
    pytest.importorskip("fastapi")
    pytest.importorskip("python_multipart")
    from starlette.testclient import TestClient

    from diffusionseg.web.app import create_app

    def make(page=False, **limits):
        if page:
            pytest.importorskip("gradio")
        app = create_app(models, ServeConfig(**limits), synthesis=synthesis, page=page)
        # What Gradio leaves behind is found here, where its warnings are expected.
        gc.collect()
        return TestClient(app, base_url="http://localhost")

    return make


@pytest.fixture(scope="session")
def client(client_of):
    with client_of(max_upload=300_000, max_pixels=100_000_000, max_count=3) as client:
        yield client
