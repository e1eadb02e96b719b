"""A set's bytes do not depend on who makes it, nor on who is lost on the way."""

import hashlib
import json
import multiprocessing
import os
import shutil
import socket

import pytest

from diffusionseg.backbone import Backbone, BackboneLoadError
from diffusionseg.backbone.random_models import tiny_backbone
from diffusionseg.data import ManifestMismatch, claim_path, open_store, shard_path, write_manifest
from diffusionseg.engine import LOCAL, Engine, Share
from diffusionseg.synthesis import GateConfig, SynthesisConfig, places, shard_work, synthesize_set
from diffusionseg.synthesis.plan import SetPlan
from diffusionseg.synthesis.shard_work import loading_worker

OPEN = GateConfig(min_area=0, max_area=1, max_border=1, max_ignore=1, min_agreement=0)
CONFIG = SynthesisConfig(steps=2, attempts=1, reread_noises=0, gate=OPEN)
TWO = Engine("processes", 2)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tiny_backbone("sd1").save_pretrained(folder)
    return Backbone.from_pretrained(folder, device="cpu")


def make(backbone, out, engine=LOCAL, **options):
    settings = {"count": 7, "seed": 3, "config": CONFIG, "shard_size": 2, **options}
    return synthesize_set(backbone, ("cat", "dog house"), out, engine=engine, **settings)


def digests(directory):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(directory.iterdir())}


@pytest.fixture(scope="module")
def expected(backbone, tmp_path_factory):
    """The files of the set as this process makes them."""
    out = tmp_path_factory.mktemp("local")
    assert make(backbone, out).made == 7
    return digests(out)


@pytest.mark.slow
def test_processes_give_the_same_bytes_also_when_one_is_killed(backbone, expected, tmp_path):
    filled = []

    def report(place):
        if not filled:
            multiprocessing.active_children()[0].kill()
        filled.append(place.index)

    summary = make(backbone, tmp_path, TWO, report=report)
    assert (summary.samples, summary.made, summary.failures) == (7, 7, ())
    assert sorted(filled) == list(range(7))
    assert digests(tmp_path) == expected


@pytest.mark.slow
# Ray itself leaves files and sockets to the garbage collector.
@pytest.mark.filterwarnings("default::ResourceWarning", "default::pytest.PytestUnraisableExceptionWarning")
def test_ray_gives_the_same_bytes(backbone, expected, tmp_path):
    pytest.importorskip("ray")
    filled = []
    assert make(backbone, tmp_path, Engine("ray", 2), report=lambda place: filled.append(place.index)).made == 7
    assert sorted(filled) == list(range(7))
    assert digests(tmp_path) == expected


def test_a_worker_that_finds_another_model_or_no_set_refuses(backbone, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(backbone.name, folder)
    plan = SetPlan(open_store(tmp_path / "set"), ("cat",), 2, 3, CONFIG, 2)
    make_worker = loading_worker(Backbone.from_pretrained(folder, device="cpu"), plan, None)
    share = Share(0, 2, 1, lambda _: None)
    with pytest.raises(ValueError, match=r"manifest\.json: No such file"):
        make_worker(share)
    write_manifest(plan.out, plan.identity(backbone))
    assert make_worker(share)(0) == 2
    tiny_backbone("sd1", seed=1).save_pretrained(folder)
    with pytest.raises(ManifestMismatch, match=r"backbone\.fingerprint is"):
        make_worker(share)
    weights = next((folder / "unet").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(BackboneLoadError, match=str(folder)):
        make_worker(share)


@pytest.mark.parametrize(("part", "layer"), [("unet", "conv_in"), ("vae", "decoder.conv_in")])
def test_weights_that_are_no_numbers_are_noticed_and_nothing_is_written(part, layer, tmp_path):
    broken = tiny_backbone("sd1")
    getattr(broken, part).get_submodule(layer).weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="tiny-sd1: its images are no numbers"):
        make(broken, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["manifest.json"]


def test_a_folder_that_may_not_be_written_to_fails_its_shards(backbone, expected, tmp_path, monkeypatch):
    write = shard_work.write_shard

    def denied(out, shard, *rest):
        if shard == 1:
            raise PermissionError(13, "Permission denied", out.address(f"shard-{shard:06d}.tar"))
        write(out, shard, *rest)

    monkeypatch.setattr(shard_work, "write_shard", denied)
    (failure,) = make(backbone, tmp_path, max_failures=9).failures
    assert "Permission denied" in failure
    assert not [p.name for p in tmp_path.iterdir() if p.name.startswith(".") or "000001" in p.name]
    monkeypatch.undo()
    assert make(backbone, tmp_path).made == 2
    assert digests(tmp_path) == expected


def test_failed_shards_are_counted_named_and_made_by_the_next_run(backbone, expected, tmp_path, monkeypatch):
    group = places._fill_group

    def failing(replica, names, indices, *rest):
        if indices[0] in (2, 5):
            raise OSError(28, "No space left on device")
        return group(replica, names, indices, *rest)

    monkeypatch.setattr(places, "_fill_group", failing)
    with pytest.raises(OSError, match="No space left"):
        make(backbone, tmp_path, max_failures=1)
    ended = []
    summary = make(backbone, tmp_path, max_failures=2, ended=lambda *shard: ended.append(shard))
    reason = "OSError: [Errno 28] No space left on device"
    assert ended == [("shard-000001.tar", reason), ("shard-000002.tar", reason), ("shard-000003.tar", None)]
    assert summary.failures == (
        f"shard-000001.tar: {reason}",
        f"shard-000002.tar: {reason}",
    )
    assert summary.samples == 3
    assert "result" not in json.loads((tmp_path / "manifest.json").read_text())
    monkeypatch.undo()
    assert make(backbone, tmp_path).made == 4
    assert digests(tmp_path) == expected


def test_a_shard_that_another_run_makes_is_left_to_it(backbone, expected, tmp_path):
    other = tmp_path / "other"
    make(backbone, other)
    out = tmp_path / "set"
    claim = claim_path(shard_path(out, 0))
    out.mkdir()
    claim.write_text(json.dumps({"host": socket.gethostname(), "process": os.getpid()}))
    filled = []

    def report(place):
        filled.append(place.index)
        if place.index == 6:
            # The other run ends with the shard just after this one has made all others.
            for path in (shard_path(other, 0), shard_path(other, 0).with_suffix(".json")):
                shutil.copy(path, out)
            claim.unlink()

    assert make(backbone, out, report=report).made == 5
    assert filled == [2, 3, 4, 5, 6, 0, 1]
    assert digests(out) == expected
