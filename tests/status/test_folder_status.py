"""What a folder's run has done, and what goes on with it."""

import json
import os
import shlex

import pytest
from hypothesis import given

from diffusionseg.data import Sample, claim_path, shard_path, write_manifest, write_shard
from diffusionseg.status import folder_status
from hostile import changed, few, refused_by_name


@pytest.fixture
def half(tmp_path):
    """A synthetic set of 10 places in 4 shards, two of which were made in a minute."""
    config = {
        "steps": 24,
        "solver": "dpm++",
        "image_size": None,
        "reread_noises": 0,
        "templates": ["a {name}"],
        "gate": {"max_border": 0.1, "min_agreement": 0.2},
    }
    described = {
        "backbone": {"name": "my model", "fingerprint": "f"},
        "classes": ["cat", "dog house"],
        "count": 10,
        "seed": 3,
        "shard_size": 3,
        "device_type": "cpu",
        "dtype": "float32",
        "config": config,
    }
    write_manifest(tmp_path, {"format": 1, "set": described})
    for shard in range(2):
        sample = Sample(3 * shard, {"jpg": b"x", "mask.png": b"y"}, {})
        write_shard(tmp_path, shard, [sample], {"rejects": {"too small": 2}})
        os.utime(shard_path(tmp_path, shard).with_suffix(".json"), (1000 + 30 * shard,) * 2)
    os.utime(tmp_path / "manifest.json", (970, 970))
    return tmp_path


def test_a_set_under_way(half):
    claim_path(shard_path(half, 2)).write_text("{}")
    shard_path(half, 3).write_bytes(b"its sidecar is still missing")
    found = folder_status(half)
    assert (found.kind, found.done, found.total, found.in_hand) == ("synthetic set", 2, 4, 1)
    assert (found.samples, found.rejects, found.failed) == (2, {"too small": 4}, ())
    assert (found.per_minute, found.minutes_left, found.finished) == (2.0, 1.0, False)
    assert shlex.split(found.resume) == [
        *("diffusionseg", "synth", "--model", "my model", "--classes", "cat,dog house", "--count", "10"),
        *("--seed", "3", "--shard-size", "3", "--steps", "24"),
        *("--solver", "dpm++", "--reread-noises", "0"),
        *("--template", "a {name}", "--max-border", "0.1"),
        *("--min-agreement", "0.2"),
        *("--device", "cpu", "--dtype", "float32", "--out", str(half)),
    ]


def test_a_damaged_shard_is_named(half, cli):
    path = shard_path(half, 1)
    path.write_bytes(path.read_bytes()[:-1])
    assert folder_status(half).failed == ()
    (fault,) = folder_status(half, verify=True).failed
    assert fault.startswith(f"{path}: does not match the checksum")
    path.with_suffix(".json").write_text("{")
    done = cli(["status", half, "--json"], half)
    assert done.returncode == 1
    assert "shard-000001.json: not valid JSON" in json.loads(done.stdout)["failed"][0]


def test_names_with_commas_go_on_from_a_file(half):
    manifest = json.loads((half / "manifest.json").read_text())
    manifest["set"]["classes"] = ["cat", "tench, Tinca tinca"]
    write_manifest(half, manifest)
    words = shlex.split(folder_status(half).resume)
    assert words[words.index("--classes") + 1] == "@FILE-WITH-A-CLASS-NAME-A-LINE"


@pytest.mark.parametrize(
    ("record", "settings", "rate"),
    [("run.json", {"training": {"steps": 4}}, "learning_rate"), ("pretrain.json", {"steps": 4}, "lr")],
)
def test_a_training_run(tmp_path, record, settings, rate):
    (tmp_path / record).write_text(json.dumps(settings))
    begun = folder_status(tmp_path)
    assert (begun.kind, begun.done, begun.total, begun.per_minute) == ("training run", 0, 4, None)
    lines = "".join(json.dumps({"step": step, "loss": 1.0, rate: 0.1}) + "\n" for step in range(3))
    (tmp_path / "metrics.jsonl").write_text(lines + '{"step": 3, "corloc": 0.5}\n{"step": 3, "loss"')
    os.utime(tmp_path / record, (1000, 1000))
    os.utime(tmp_path / "metrics.jsonl", (1060, 1060))
    found = folder_status(tmp_path)
    assert (found.kind, found.done, found.total, found.per_minute, found.finished) == ("training run", 3, 4, 3.0, False)
    # A step whose loss was no number has none.
    (tmp_path / "metrics.jsonl").write_text(lines + json.dumps({"step": 3, rate: 0.1}) + "\n")
    weightless = folder_status(tmp_path)
    assert (weightless.done, weightless.finished) == (4, False)
    for last in ("config.json", "model/model_index.json"):
        (tmp_path / last).parent.mkdir(exist_ok=True)
        (tmp_path / last).touch()
    assert folder_status(tmp_path).finished


def test_predictions_name_what_failed_last(tmp_path):
    records = [
        {"image": "a.jpg", "error": "was cut"},
        {"image": "b", "error": "empty"},
        {"image": "a.jpg", "boxes": []},
    ]
    records.append({"image": "c.jpg", "boxes": [], "output": "c.jpg"})
    (tmp_path / "predictions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    found = folder_status(tmp_path)
    assert (found.kind, found.done, found.total, found.failed) == ("predictions", 2, None, ("b: empty",))
    assert found.per_minute is None
    for number, name in enumerate(("a.mask.png", "c.jpg.overlay.png")):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000 + 15 * number,) * 2)
    (tmp_path / "settings.json").write_text(json.dumps({"photographs": 8}))
    found = folder_status(tmp_path)
    assert (found.total, found.per_minute, found.finished, found.minutes_left) == (8, 4.0, False, 1.5)
    (tmp_path / "settings.json").write_text(json.dumps({"photographs": 2}))
    assert folder_status(tmp_path).total is None


def test_other_folders_are_refused(tmp_path, cli):
    with pytest.raises(ValueError, match="no such folder"):
        folder_status(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no set"):
        folder_status(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    done = cli(["status", tmp_path], tmp_path)
    assert done.returncode == 2
    assert "does not say how large the set is to be" in done.stderr


CONFIG = {"training": {"steps": 3}}
METRICS = {"step": 1, "loss": 0.5}
PREDICTED = {"image": "a.png", "seconds": 0.5, "boxes": []}


def test_folders_from_anywhere(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "predicted").mkdir()

    @few
    @given(changed([CONFIG]), changed([METRICS]), changed([PREDICTED]))
    def look(config, metrics, predicted):
        (tmp_path / "run" / "run.json").write_bytes(config)
        (tmp_path / "run" / "metrics.jsonl").write_bytes(metrics)
        (tmp_path / "predicted" / "predictions.jsonl").write_bytes(predicted)
        for folder in ("run", "predicted"):
            found = refused_by_name(lambda folder=folder: folder_status(tmp_path / folder), ValueError, tmp_path)
            _ = found and (found.per_minute, found.minutes_left)

    look()


@pytest.mark.parametrize(("entry", "value"), [("count", 10**18), ("shard_size", 0), ("count", float("inf"))])
def test_a_set_of_any_size_is_no_reason_to_wait(half, entry, value):
    manifest = json.loads((half / "manifest.json").read_text())
    manifest["set"][entry] = value
    (half / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=r"manifest\.json: does not say how large"):
        folder_status(half)
