"""Predictions do not depend on who makes them, with whom, or what befell the run; nothing is lost or doubled."""

import errno
import hashlib
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from diffusionseg.backbone import Backbone
from diffusionseg.backbone.random_models import tiny_backbone
from diffusionseg.data import InputImage
from diffusionseg.engine import Engine, Failure, Share, WorkerLost
from diffusionseg.exploitation import (
    Decoder,
    DecoderConfig,
    DiffusionSeg,
    FeatureConfig,
    extract_features,
)
from diffusionseg.exploitation.model_copy import ModelCopy
from diffusionseg.prediction import photo_run, photo_work, predict_folder
from diffusionseg.prediction.finding import Photographs
from diffusionseg.prediction.photo_run import PhotoRun
from diffusionseg.prediction.photo_work import PhotoPlan, loading_worker

TWO = Engine("processes", 2)
PHOTOGRAPHS = 9


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Folders: `generator`, `decoder`, and `photos`, of which the fifth is cut off and the last is no picture."""
    home = tmp_path_factory.mktemp("home")
    tiny_backbone("sd1").save_pretrained(home / "generator")
    backbone = Backbone.from_pretrained(home / "generator", device="cpu")
    features = FeatureConfig(timesteps=(50,))
    size = backbone.image_size
    channels = [level.shape[1] for level in extract_features(backbone, torch.zeros(1, 3, size, size), features)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        DiffusionSeg(backbone, Decoder(channels, DecoderConfig(width=16)), features).save_pretrained(home / "decoder")
    (home / "photos" / "sub").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(PHOTOGRAPHS):
        small = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(small).resize((90 + number, 60), Image.Resampling.BICUBIC)
        picture.save(home / "photos" / ("sub" if number % 3 == 0 else ".") / f"{number}.png")
    whole = (home / "photos" / "4.png").read_bytes()
    (home / "photos" / "4.png").write_bytes(whole[: len(whole) // 2])
    (home / "photos" / "text.jpg").write_text("no picture")
    return home


@pytest.fixture(scope="module")
def model(home):
    return DiffusionSeg.from_pretrained(home / "decoder", device="cpu")


def records(out):
    """Each photograph's record but for the time it took; no photograph has two."""
    lines = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    found = {line["image"]: {key: value for key, value in line.items() if key != "seconds"} for line in lines}
    assert len(found) == len(lines)
    return found


def result(out):
    """All that a run leaves."""
    files = {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in out.rglob("*")
        if path.is_file() and path.name != "predictions.jsonl"
    }
    return records(out), files


@pytest.fixture(scope="module")
def expected(home, model, tmp_path_factory):
    out = tmp_path_factory.mktemp("expected") / "out"
    summary = predict_folder(model, [home / "photos"], out)
    assert (summary.images, summary.predicted, summary.skipped) == (PHOTOGRAPHS + 1, PHOTOGRAPHS - 1, 0)
    assert [name for name, _ in summary.errors] == ["4.png", "text.jpg"]
    found = result(out)
    masks = [digest for name, digest in found[1].items() if name.endswith(".saliency.png")]
    assert len(set(masks)) == PHOTOGRAPHS - 1
    return found


def test_neither_batches_nor_threads_nor_company_nor_order_matter(home, model, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(photo_run, "UNIT", 2)
    predict_folder(model, [home / "photos"], tmp_path / "ones", batch_size=1)
    assert result(tmp_path / "ones") == expected
    (tmp_path / "some").mkdir()
    threads = torch.get_num_threads()
    torch.set_num_threads(3 - threads if threads < 3 else 1)
    try:
        # In two steps, and another order.
        listed = [home / "photos" / name for name in ("7.png", "sub/3.png", "text.jpg")]
        for place in [*listed, home / "photos" / "1.png"]:
            (tmp_path / "in" / place.relative_to(home / "photos")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(place, tmp_path / "in" / place.relative_to(home / "photos"))
        predict_folder(model, [tmp_path / "in"], tmp_path / "out", include=["7.*", "1.*"])
        predict_folder(model, [tmp_path / "in"], tmp_path / "out", batch_size=3)
    finally:
        torch.set_num_threads(threads)
    pictures = {name: digest for name, digest in result(tmp_path / "out")[1].items() if name.endswith(".png")}
    assert len(pictures) == 6
    assert pictures.items() <= expected[1].items()


@pytest.mark.slow
def test_processes_give_the_same_also_when_one_is_killed(home, model, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(photo_run, "UNIT", 2)
    seen = []

    def report(dealt):
        if not seen:
            multiprocessing.active_children()[0].kill()
        seen.append(dealt)

    summary = predict_folder(model, [home / "photos"], tmp_path / "out", engine=TWO, report=report)
    assert (summary.images, summary.predicted, summary.skipped) == (PHOTOGRAPHS + 1, PHOTOGRAPHS - 1, 0)
    assert (seen[-1].predicted, seen[-1].failed, seen[-1].total) == (PHOTOGRAPHS - 1, 2, PHOTOGRAPHS + 1)
    assert result(tmp_path / "out") == expected


@pytest.mark.slow
# Ray itself leaves files and sockets to the garbage collector.
@pytest.mark.filterwarnings("default::ResourceWarning", "default::pytest.PytestUnraisableExceptionWarning")
def test_ray_gives_the_same(home, model, expected, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setattr(photo_run, "UNIT", 2)
    predict_folder(model, [home / "photos"], tmp_path / "out", engine=Engine("ray", 2))
    assert result(tmp_path / "out") == expected


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_after_a_killed_driver_the_same_command_does_what_is_missing(home, expected, tmp_path, cli):
    words = ["predict", home / "photos", "--weights", home / "decoder", "--out", tmp_path / "out", "--log", "log.jsonl"]
    driver = subprocess.Popen([sys.executable, "-m", "diffusionseg", *map(str, words)], cwd=tmp_path)
    path, deadline = tmp_path / "out" / "predictions.jsonl", time.monotonic() + 60
    while not (path.exists() and path.read_bytes().count(b"\n") >= 2) and time.monotonic() < deadline:
        time.sleep(0.005)
    driver.kill()
    driver.wait()
    done = path.read_bytes().count(b"\n")
    assert done >= 2
    # As if it had been killed in the middle of a line.
    with path.open("ab") as file:
        file.write(b'{"image": "7.png", "bo')
    again = cli([*words, "--json"], tmp_path)
    assert again.returncode == 1, again.stderr
    assert json.loads(again.stdout)["skipped"] >= done - 1
    assert result(tmp_path / "out") == expected
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines].count("start") == 2
    assert {line["image"] for line in lines if line["event"] == "failure"} == {"4.png", "text.jpg"}
    assert lines[-1]["event"] == "end"
    assert lines[-1]["failures"] == 2


def test_a_photograph_that_kills_its_workers_takes_no_other_with_it(tmp_path, monkeypatch):
    def deadly_third(engine, make_worker, units, *, heard, gpus):
        for unit in units:
            lost = "3.png" in {task.image for task in unit}
            for _ in range(3 if lost else 1):
                for task in unit:
                    if task.image == "3.png":
                        break
                    heard({"image": task.image, "boxes": []})
            yield unit, Failure(WorkerLost("3 workers were lost over it")) if lost else None

    monkeypatch.setattr(photo_run, "run_units", deadly_third)
    images = [InputImage(Path(f"{n}.png"), Path(f"{n}.png")) for n in range(6)]
    dealt = []
    with PhotoRun(Photographs(iter(images), None), PhotoPlan(tmp_path, (), None, None, {}), dealt.append) as run:
        run.predict(TWO, None, 0)
    assert (run.found, run.predicted) == (6, 5)
    ((name, reason),) = run.errors
    assert name == "3.png"
    assert reason == "3 workers were lost over it"
    found = records(tmp_path)
    assert sorted(found) == [f"{n}.png" for n in range(6)]
    assert found["3.png"]["error"] == reason
    assert [d.error for d in dealt if d.error] == [(name, reason)]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_the_first_photographs_are_predicted_while_the_list_is_still_being_written(
    home, model, expected, tmp_path, monkeypatch
):
    monkeypatch.setattr(photo_run, "UNIT", 1)
    monkeypatch.chdir(home / "photos")
    os.mkfifo(tmp_path / "list")
    predicted = threading.Event()

    def write():
        with (tmp_path / "list").open("w") as file:
            file.write("1.png\nsub/0.png\n")
            file.flush()
            assert predicted.wait(60)
            file.write("text.jpg\n1.png\n")

    writer = threading.Thread(target=write)
    writer.start()
    summary = predict_folder(
        model, [], tmp_path / "out", listed=tmp_path / "list", report=lambda d: d.predicted and predicted.set()
    )
    writer.join()
    assert (summary.images, summary.predicted) == (3, 2)
    assert records(tmp_path / "out") == {name: expected[0][name] for name in ("1.png", "sub/0.png", "text.jpg")}


def test_one_run_at_a_time_writes_to_a_folder(home, model, tmp_path):
    def again(_):
        predict_folder(model, [home / "photos"], tmp_path / "out")

    with pytest.raises(ValueError, match="another run is writing there"):
        predict_folder(model, [home / "photos"], tmp_path / "out", report=again)
    assert not list(tmp_path.rglob("*.claim"))


def test_a_worker_that_finds_another_generator_or_other_libraries_or_no_folder_refuses(home, model, tmp_path):
    copy, share = ModelCopy.of(model), Share(0, 1, 1, lambda _: None)
    assert torch.equal(copy.load().decoder.head[1].weight, model.decoder.head[1].weight)
    with pytest.raises(ValueError, match="other versions of torch"):
        replace(copy, versions={**copy.versions, "torch": "1"}).load()
    with pytest.raises(ValueError, match="finds another generator there"):
        replace(copy, description={**copy.description, "backbone": {"name": "mini", "fingerprint": "f"}}).load()
    plan = PhotoPlan(tmp_path, ("mask",), model.predict_config, None, model.description())
    with pytest.raises(ValueError, match=r"settings\.json: No such file"):
        loading_worker(model, plan)(share)


def test_what_runs_out_of_memory_beside_others_is_tried_again_alone(home, model, expected, tmp_path, monkeypatch):
    alone, begun = photo_work._alone, []

    def short_of_memory(model, plan, task):
        begun.append(task.image)
        if begun.count(task.image) == 1 and task.image in ("1.png", "5.png"):
            return {"image": task.image, "error": "out of memory with this photograph alone"}
        return alone(model, plan, task)

    monkeypatch.setattr(photo_work, "_alone", short_of_memory)
    predict_folder(model, [home / "photos"], tmp_path / "out")
    assert result(tmp_path / "out") == expected
    assert begun[-2:] == ["1.png", "5.png"]


def test_names_that_no_file_can_have_are_errors_and_touch_nothing_outside(model, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "list").write_bytes(b"no\0file.jpg\n" + b"n" * 300 + b".jpg\n/nowhere/a.jpg\n")
    assert len(predict_folder(model, [], out, listed=tmp_path / "list").errors) == 3
    for name in ("out.mask.png", "other.mask.png"):
        (tmp_path / name).touch()
    hostile = [{"image": ""}, {"image": "a", "output": "../other"}, {"image": str(tmp_path / "other")}, {"image": "\0"}]
    (out / "predictions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in hostile) + "[" * 100_000)
    other = replace(model.predict_config, threshold=0.3)
    predict_folder(model, [], out, listed=tmp_path / "list", config=other, overwrite=True)
    assert {p.name for p in tmp_path.iterdir()} == {"out", "list", "out.mask.png", "other.mask.png"}
    assert len(records(out)) == 3


def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(home, model, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(photo_run, "UNIT", 2)
    write = photo_work._write_pictures

    def full(plan, task, *rest):
        if task.output == "5":
            raise OSError(errno.ENOSPC, "No space left on device")
        write(plan, task, *rest)

    monkeypatch.setattr(photo_work, "_write_pictures", full)
    with pytest.raises(OSError, match="No space left"):
        predict_folder(model, [home / "photos"], tmp_path / "out")
    assert "5.png" not in records(tmp_path / "out")
    monkeypatch.undo()
    assert predict_folder(model, [home / "photos"], tmp_path / "out").skipped >= 2
    assert result(tmp_path / "out") == expected
