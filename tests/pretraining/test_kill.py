"""A run that is killed, and started again by the same command, ends with the same bytes as one that is not."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch

from diffusionseg.pretraining import pretrain, read_judged_photos, read_photos, samples

SCRIPT = """
import sys
from pathlib import Path
import torch
from diffusionseg.attentioncut import AttentionCutConfig, ColourCutConfig
from diffusionseg.pretraining import GeneratorConfig, JudgeConfig, PretrainConfig, samples
from diffusionseg.pretraining import pretrain, read_judged_photos, read_photos
from diffusionseg.recognition import EncoderConfig
samples.STEPS = 2
source, annotated, out = map(Path, sys.argv[1:])
photos, large = read_photos([source], 32), read_photos([source], 48)
judged = read_judged_photos(annotated, photos, {judge!r})
pretrain(photos, photos.names, {{}}, out, {config!r}, device=torch.device("cpu"), larger=[large], judged=judged)
"""
FILES = (
    "checkpoint.safetensors",
    "model/classes.txt",
    "model/model_index.json",
    "model/text_encoder/model.safetensors",
    "model/tokenizer/vocab.json",
    "model/unet/diffusion_pytorch_model.safetensors",
    "model/vae/components.safetensors",
    "model/vae/diffusion_pytorch_model.safetensors",
    "samples/step-000002.png",
    "samples/step-000004.png",
)


def run(command, killed_at=None):
    """Run a command to its end, or until SIGKILL as soon as the file `killed_at` is there; exit status and stderr."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        while killed_at is not None and process.poll() is None:
            if killed_at.exists():
                process.kill()
                break
            time.sleep(0.002)
        return process.communicate()[1], process.returncode


def metrics(out):
    """Lines of metrics.jsonl without what the clock says."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "photos_per_second"} for line in lines]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, write_photos, write_annotated, config, judge_config):
    """A run that nothing interrupts: its folder, and the command that makes the same one in another folder."""
    home = tmp_path_factory.mktemp("kill")
    source = write_photos(home / "photos")
    lines = [
        ("a.png", (40, 48), [("red square", [4, 6, 24, 30])]),
        ("b.png", (32, 32), [("blue square", [0, 0, 9, 9])]),
    ]
    annotated = write_annotated(home / "annotated", lines)
    config = replace(config, steps=4, save_every=2, larger_sizes=(48,), balance=0.5)
    photos, larger = read_photos([source], 32), [read_photos([source], 48)]
    judged = read_judged_photos(annotated, photos, judge_config)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "STEPS", 2)
        device = torch.device("cpu")
        pretrain(photos, photos.names, {}, home / "whole", config, device=device, larger=larger, judged=judged)
    torch.set_num_threads(threads)
    script = SCRIPT.format(config=config, judge=judge_config)
    return home / "whole", [sys.executable, "-c", script, str(source), str(annotated)]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize("moment", ["autoencoder/checkpoint.safetensors", "model/vae", "checkpoint.safetensors"])
def test_a_killed_run_resumes_to_the_same_bytes(whole, tmp_path, moment):
    uninterrupted, command = whole
    killed = tmp_path / "killed"
    errors, status = run([*command, str(killed)], killed_at=killed / moment)
    assert status == -signal.SIGKILL, errors
    assert not (killed / "model" / "model_index.json").exists()
    errors, status = run([*command, str(killed)])
    assert status == 0, errors

    for name in FILES:
        assert (uninterrupted / name).read_bytes() == (killed / name).read_bytes(), name
    assert not (killed / "autoencoder").exists()
    assert metrics(killed) == metrics(uninterrupted)
    assert [line["step"] for line in metrics(killed) if "corloc" in line] == [2, 4]
