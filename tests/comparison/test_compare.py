"""A comparison end to end over generated photographs, with the embedded model."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from diffusionseg.attentioncut import ColourCutConfig
from diffusionseg.backbone.random_models import tiny_backbone
from diffusionseg.comparison import CompareConfig, Comparison, Row, latex, markdown, worker
from diffusionseg.comparison.folder import SECONDS, claim, made_with, missing, read_seconds, write_seconds
from diffusionseg.comparison.run import _find_all, _measure_all
from diffusionseg.data import find_pairs
from diffusionseg.exploitation import Decoder, DecoderConfig, DiffusionSeg
from diffusionseg.prediction import PredictConfig

METHODS = "centre,colour-cut,daam,decoder"


@pytest.fixture
def root(tmp_path):
    """Three photographs of discs with masks, in ECSSD's layout."""
    for number in range(3):
        y, x = np.mgrid[:48, :64]
        mask = np.hypot(y - 24, x - 24 - 8 * number) < 12
        photo = np.where(mask[..., None], [220, 130, 40], [40, 70, 160]).astype(np.uint8)
        for folder, name, array in (("images", f"{number}.jpg", photo), ("masks", f"{number}.png", mask)):
            (tmp_path / "set" / folder).mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(array if folder == "images" else array.astype(np.uint8) * np.uint8(255))
            picture.save(tmp_path / "set" / folder / name)
    return tmp_path / "set"


@pytest.mark.slow
def test_a_bad_photograph_is_named_and_the_next_run_does_only_what_is_missing(cli, root, tmp_path):
    command = f"compare set --methods {METHODS} --refine none,bilateral --out out --jobs 1 --json --markdown t.md"
    good = (root / "images" / "1.jpg").read_bytes()
    (root / "images" / "1.jpg").write_bytes(b"nothing")
    done = cli(command, tmp_path)
    assert done.returncode == 1, done.stderr
    assert "failed: 1:" in done.stderr
    assert json.loads(done.stdout)["photographs"] == 2

    (root / "images" / "1.jpg").write_bytes(good)
    kept = tmp_path / "out" / "daam-none" / "2.png"
    before = kept.stat().st_mtime_ns
    done = cli(command, tmp_path)
    assert done.returncode == 0, done.stderr
    assert kept.stat().st_mtime_ns == before
    table = json.loads(done.stdout)
    assert (table["photographs"], table["errors"], table["protocol"]) == (3, [], "tokencut")
    rows = {(row["method"], row["refinement"]): row for row in table["rows"]}
    assert list(rows) == [(m, r) for m in METHODS.split(",") for r in ("none", "bilateral")]
    assert rows["colour-cut", "none"]["iou"] > 0.8
    assert rows["centre", "none"]["reading_seconds"] == 0 < rows["daam", "none"]["reading_seconds"]
    for row in rows.values():
        low, high = row["intervals"]["iou"]
        assert 0 <= low <= row["iou"] <= high <= 1
        assert row["seconds"] >= row["reading_seconds"]
    assert (tmp_path / "t.md").read_text() == (tmp_path / "out" / "table.md").read_text()

    (root / "masks" / "2.png").write_bytes(b"nothing")
    done = cli(command, tmp_path)
    assert done.returncode == 1, done.stderr
    table = json.loads(done.stdout)
    assert (table["photographs"], [error["image"] for error in table["errors"]]) == (2, ["2"])
    assert "failed: 2:" in done.stderr
    assert kept.stat().st_mtime_ns == before


def test_wrong_usage_is_status_two(cli, root, tmp_path):
    done = cli("compare set --out out --methods magic", tmp_path)
    assert done.returncode == 2
    assert "--methods magic: choose from centre" in done.stderr
    assert not (tmp_path / "out").exists()


def test_predictions_made_otherwise_are_refused_or_overwritten(tmp_path):
    claim(tmp_path, {"reading": {"class_name": "object"}}, overwrite=False)
    stale = tmp_path / "daam-none" / "1.png"
    stale.parent.mkdir()
    stale.touch()
    other = {"reading": {"class_name": "animal"}}
    with pytest.raises(ValueError, match=r"reading\.class_name differ"):
        claim(tmp_path, other, overwrite=False)
    assert stale.exists()
    claim(tmp_path, other, overwrite=True)
    assert not stale.exists()
    claim(tmp_path, other, overwrite=False)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"predict_config": PredictConfig(margins=(0.0, 0.2))}, "margins"),
        ({"predict_config": PredictConfig(flip=True)}, "flip"),
        ({"predict_config": PredictConfig(cut=ColourCutConfig(smoothness=1.0))}, r"cut\.smoothness"),
        ({"backbone": tiny_backbone("sd1").to(dtype=torch.float16)}, "dtype"),
    ],
)
def test_predictions_of_a_model_that_reads_otherwise_are_refused(tmp_path, changed, said):
    parts = {"backbone": tiny_backbone("sd1"), "decoder": Decoder((4,), DecoderConfig(width=16))}
    config = CompareConfig(("decoder",))
    claim(tmp_path, made_with(tmp_path, DiffusionSeg(**parts), config), overwrite=False)
    claim(tmp_path, made_with(tmp_path, DiffusionSeg(**parts), config), overwrite=False)
    with pytest.raises(ValueError, match=rf"other settings \({said} differ\)"):
        claim(tmp_path, made_with(tmp_path, DiffusionSeg(**parts | changed), config), overwrite=False)


def test_missing_is_what_has_no_picture_or_no_time(tmp_path):
    config = CompareConfig(methods=("centre", "daam"), refinements=("none",))
    write_seconds(tmp_path, {"a/1": {"centre-none": 0.1}})
    with (tmp_path / SECONDS).open("a") as records:
        records.write('{"image": "a/1", "seconds": {"daam-no')
    timed = read_seconds(tmp_path)
    assert timed == {"a/1": {"centre-none": 0.1}}
    assert missing("a/1", tmp_path, config, timed) == (("centre", "none"), ("daam", "none"))
    for method in config.methods:
        (tmp_path / f"{method}-none" / "a").mkdir(parents=True)
        (tmp_path / f"{method}-none" / "a" / "1.png").touch()
    assert missing("a/1", tmp_path, config, timed) == (("daam", "none"),)


def test_masks_are_read_also_where_no_prediction_is_missing(root, tmp_path, monkeypatch):
    out, config = tmp_path / "out", CompareConfig(("centre",), ("none",))
    monkeypatch.setattr(worker._Process, "config", config, raising=False)
    pairs = find_pairs(root)
    for pair in pairs:
        path = out / "centre-none" / f"{pair.stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pair.mask.read_bytes())
        # Neither a model nor a picture is there to be read.
        pair.image.unlink()
    write_seconds(out, {pair.stem: {"centre": 0.1, "centre-none": 0.1} for pair in pairs})
    mask = np.array(Image.open(pairs[2].mask))
    mask[:3] = 100
    Image.fromarray(mask).save(pairs[2].mask)
    kept, done = (out / SECONDS).read_bytes(), []
    with ThreadPoolExecutor(1) as pool:
        errors = _find_all(pool, pairs, out, config, lambda *told: done.append(told))
        fresh = worker.find(worker.Photograph("2", pairs[2].image, pairs[2].mask, (("centre", "none"),)))
        assert errors == {"2": fresh.error}
        assert "masks/2.png" in errors["2"]
        (row,) = _measure_all(pool, pairs[:2], out, config, lambda *_: None)
    assert row.iou == 1
    assert done == [("photographs", n, 3) for n in range(4)]
    assert (out / SECONDS).read_bytes() == kept


def comparison():
    ends = dict.fromkeys(("acc", "iou", "max_f"), (0.4, 0.6))
    row = Row("propagation", "A⁴c 50 %", "none", 0.9, 0.5, 0.7, ends, 1.25, 1.0)
    return Comparison((row, dataclasses.replace(row, method="daam")), 3, (("x", "bad"),), "tokencut", "made of 3")


def test_tables_hold_the_same_cells():
    lines = markdown(comparison()).splitlines()
    assert lines[0].count("|") == lines[2].count("|") == 9
    assert "| A⁴c 50 % | none | 0.900 | 0.500 | 0.400–0.600 | 0.700 | 1.25 | 1.00 |" in lines
    assert "3 photographs, 1 more could not be used; protocol tokencut" in lines[-1]
    text = latex(comparison())
    assert r"A$^4$c 50 \% & none & 0.900 & 0.500 & 0.400--0.600 & 0.700 & 1.25 & 1.00 \\" in text
    assert text.count(r"\\") == 3


def test_want_of_memory_is_an_error_of_its_photograph(monkeypatch, tmp_path):
    photograph = worker.Photograph("a", tmp_path / "a.jpg", tmp_path / "a.png", (("centre", "none"),))
    monkeypatch.setattr(worker._Process, "config", CompareConfig(("centre",)), raising=False)
    monkeypatch.setattr(worker, "read_ground_truth", lambda *_: None)
    failures = [torch.OutOfMemoryError("CUDA out of memory."), MemoryError("too large"), RuntimeError("shapes")]

    def fail(_):
        raise failures.pop(0)

    monkeypatch.setattr(worker, "_find", fail)
    assert worker.find(photograph).error == "CUDA out of memory."
    assert worker.find(photograph).error == "too large"
    with pytest.raises(RuntimeError, match="shapes"):
        worker.find(photograph)
