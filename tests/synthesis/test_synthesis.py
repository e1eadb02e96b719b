"""Pairs, shards, manifest and resume with a tiny random generator."""

import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from diffusionseg.backbone.random_models import tiny_backbone
from diffusionseg.data import ManifestMismatch, read_shards
from diffusionseg.synthesis import GateConfig, SynthesisConfig, synthesize, synthesize_set
from diffusionseg.synthesis.sampling import draft, synthesize_group

OPEN = GateConfig(min_area=0, max_area=1, max_border=1, max_ignore=1, min_agreement=0)
CONFIG = SynthesisConfig(steps=3, attempts=2, reread_noises=1, reread_timesteps=(300, 600), gate=OPEN)
NAMES = ("cat", "dog house")


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone("sd1")


def digests(directory):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(directory.iterdir())}


def make(backbone, out, **changes):
    settings = {"count": 7, "seed": 3, "config": CONFIG, "shard_size": 3, **changes}
    return synthesize_set(backbone, NAMES, out, **settings)


def test_pairs_have_the_documented_shapes_and_values(backbone):
    pairs = list(synthesize(backbone, NAMES, count=3, seed=1, config=CONFIG))
    assert [p.index for p in pairs] == [0, 1, 2]
    assert [p.class_name for p in pairs] == ["cat", "dog house", "cat"]
    for pair in pairs:
        side = backbone.image_size
        assert pair.image.shape == (side, side, 3)
        assert pair.image.dtype == np.uint8
        assert pair.mask.shape == (side, side)
        assert set(np.unique(pair.mask)) <= {0, 128, 255}
        assert pair.attention.min() >= 0
        assert pair.attention.max() <= 1
        assert pair.class_name in pair.prompt


def test_bytes_do_not_depend_on_batch_size_or_on_threads(backbone, tmp_path):
    for batch_size in (1, 4, 5):
        make(backbone, tmp_path / str(batch_size), batch_size=batch_size)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    make(backbone, tmp_path / "one thread")
    torch.set_num_threads(threads)
    assert len({json.dumps(digests(d)) for d in tmp_path.iterdir()}) == 1


def test_no_place_is_no_pair(backbone):
    assert list(synthesize(backbone, NAMES, count=0, config=CONFIG)) == []


def test_another_seed_gives_other_images(backbone, tmp_path):
    make(backbone, tmp_path / "a")
    make(backbone, tmp_path / "b", seed=4)
    assert digests(tmp_path / "a")["shard-000000.tar"] != digests(tmp_path / "b")["shard-000000.tar"]


def test_padded_calls_give_the_same_pairs_as_full_ones(backbone):
    config = dataclasses.replace(CONFIG, call_size=3)
    drafts = [draft(0, i, 0, "cat") for i in range(3)]
    full = synthesize_group(backbone, drafts, config)
    padded = synthesize_group(backbone, drafts[:2], config)
    for one, other in zip(full, padded, strict=False):
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.mask, other.mask)


def test_a_finished_set_is_not_touched_again(backbone, tmp_path):
    make(backbone, tmp_path)
    times = {p.name: p.stat().st_mtime_ns for p in tmp_path.glob("shard-*")}
    summary = make(backbone, tmp_path)
    assert summary.made == 0
    assert {p.name: p.stat().st_mtime_ns for p in tmp_path.glob("shard-*")} == times


def test_a_missing_shard_is_made_again_with_the_same_bytes(backbone, tmp_path):
    make(backbone, tmp_path)
    before = digests(tmp_path)
    (tmp_path / "shard-000001.json").unlink()
    summary = make(backbone, tmp_path)
    assert summary.made == 3
    assert digests(tmp_path) == before


def test_another_configuration_is_refused_and_the_difference_named(backbone, tmp_path):
    make(backbone, tmp_path)
    before = digests(tmp_path)
    with pytest.raises(ManifestMismatch, match=r"config\.guidance is 3\.0, asked for 2\.0"):
        make(backbone, tmp_path, config=dataclasses.replace(CONFIG, guidance=2.0))
    assert digests(tmp_path) == before
    make(backbone, tmp_path, config=dataclasses.replace(CONFIG, guidance=2.0), overwrite=True)
    assert digests(tmp_path)["shard-000000.tar"] != before["shard-000000.tar"]


def test_a_request_that_cannot_be_fulfilled_touches_nothing(backbone, tmp_path):
    make(backbone, tmp_path)
    before = digests(tmp_path)
    odd = dataclasses.replace(CONFIG, image_size=backbone.image_size + 1)
    for names, config, said in ((["cat", "very " * 200 + "long"], CONFIG, "truncated"), (["cat"], odd, "--image-size")):
        with pytest.raises(ValueError, match=said):
            synthesize_set(backbone, names, tmp_path, count=7, config=config, overwrite=True)
    assert digests(tmp_path) == before


def test_a_class_name_that_the_template_says_before_it_is_refused(backbone, tmp_path):
    with pytest.raises(ValueError, match=r"'photo' is also a word of the template 'a photo of"):
        synthesize_set(backbone, ("cat", "photo"), tmp_path / "set", count=2)
    assert not (tmp_path / "set").exists()


def test_shards_of_an_unknown_set_are_not_adopted(backbone, tmp_path):
    make(backbone, tmp_path)
    before = digests(tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(ManifestMismatch, match="shards but no manifest"):
        make(backbone, tmp_path)
    assert make(backbone, tmp_path, overwrite=True).made == 7
    assert digests(tmp_path) == before


def test_a_set_goes_on_under_another_name_of_its_generator_but_not_with_other_versions(backbone, tmp_path, monkeypatch):
    make(backbone, tmp_path)
    before = digests(tmp_path)
    monkeypatch.setattr(backbone, "name", "elsewhere")
    assert make(backbone, tmp_path).made == 0
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["made_with"]["torch"] = "1.0"
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert make(backbone, tmp_path).made == 0
    assert json.loads((tmp_path / "manifest.json").read_text())["made_with"]["torch"] == "1.0"
    (tmp_path / "shard-000001.json").unlink()
    with pytest.raises(ManifestMismatch, match=r"torch is '1\.0'"):
        make(backbone, tmp_path)
    assert digests(tmp_path)["shard-000000.tar"] == before["shard-000000.tar"]


def test_models_that_embed_guidance_get_its_scale_and_no_unconditional_half(backbone, monkeypatch):
    calls = []
    denoise = type(backbone).denoise
    monkeypatch.setattr(type(backbone), "embeds_guidance", True)
    monkeypatch.setattr(
        type(backbone),
        "denoise",
        lambda self, x, t, c, **k: calls.append((len(x), k["guidance_scale"])) or denoise(self, x, t, c, **k),
    )
    list(synthesize(backbone, NAMES, count=1, config=dataclasses.replace(CONFIG, guidance=4.0)))
    assert set(calls) == {(1, 4.0)}


def test_rejects_are_counted_by_reason_and_empty_places_named(backbone, tmp_path):
    strict = dataclasses.replace(CONFIG, gate=GateConfig(min_area=0.98, max_area=0.99))
    summary = make(backbone, tmp_path, config=strict)
    assert summary.samples == 0
    assert sum(summary.rejects.values()) == 7 * CONFIG.attempts
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["result"]["rejects"] == summary.rejects
    assert json.loads((tmp_path / "shard-000000.json").read_text())["empty_places"] == [0, 1, 2]


def test_stored_samples_are_the_pairs(backbone, tmp_path):
    make(backbone, tmp_path)
    pairs = {p.index: p for p in synthesize(backbone, NAMES, count=7, seed=3, config=CONFIG)}
    samples = list(read_shards(tmp_path))
    assert [s.index for s in samples] == sorted(pairs)
    for sample in samples:
        pair = pairs[sample.index]
        assert np.array_equal(sample.mask_array(), pair.mask)
        assert np.abs(sample.image_array().astype(int) - pair.image).mean() < 8
        assert sample.meta["prompt"] == pair.prompt
        assert sample.meta["box"] == (list(pair.box) if pair.box else None)


def test_guidance_one_skips_the_unconditional_half(backbone, monkeypatch):
    rows = []
    denoise = type(backbone).denoise
    monkeypatch.setattr(
        type(backbone), "denoise", lambda self, x, t, c, **k: rows.append(len(x)) or denoise(self, x, t, c, **k)
    )
    list(synthesize(backbone, NAMES, count=1, config=dataclasses.replace(CONFIG, guidance=1.0)))
    assert set(rows) == {1}
    rows.clear()
    list(synthesize(backbone, NAMES, count=1, config=CONFIG))
    assert rows == [2, 2, 2, 1, 1]


def test_reading_the_finished_image_again_leaves_it_as_it_is_and_adds_to_its_attention(backbone):
    one = draft(0, 0, 0, "cat")
    (once,), (again,) = (
        synthesize_group(backbone, [one], dataclasses.replace(CONFIG, reread_noises=n)) for n in (0, 3)
    )
    assert np.array_equal(once.image, again.image)
    assert not np.array_equal(once.attention, again.attention)


def test_an_error_inside_a_thread_reaches_the_caller_and_threads_are_restored(backbone):
    threads = torch.get_num_threads()
    with pytest.raises(ValueError, match="truncated"):
        list(synthesize(backbone, ["very " * 200 + "long"], count=2, config=CONFIG))
    assert torch.get_num_threads() == threads


SCRIPT = """
import sys
from pathlib import Path
from diffusionseg.backbone.random_models import tiny_backbone
from diffusionseg.synthesis import GateConfig, SynthesisConfig, synthesize_set
gate = GateConfig(min_area=0, max_area=1, max_border=1, max_ignore=1, min_agreement=0)
synthesize_set(tiny_backbone("sd1"), ("cat", "dog house"), Path(sys.argv[1]), count=24, seed=3,
               config=SynthesisConfig(steps=3, gate=gate), shard_size=4, batch_size=int(sys.argv[2]))
"""


@pytest.mark.slow
def test_killed_half_way_and_started_again_gives_the_same_bytes(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run([sys.executable, "-c", SCRIPT, str(whole), "4"], check=True)
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(killed), "5"])
    deadline = time.monotonic() + 120
    while not (killed / "shard-000001.json").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "shard-000005.json").exists()
    subprocess.run([sys.executable, "-c", SCRIPT, str(killed), "5"], check=True)
    assert digests(killed) == digests(whole)
