"""`--log`: a run's lines, whatever ends it, and predict's input from a list."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from diffusionseg import __version__
from diffusionseg.backbone.random_models import tiny_backbone
from diffusionseg.cli import run_log as module
from diffusionseg.cli.app import application
from diffusionseg.cli.run_log import RunLog, run_log
from diffusionseg.demo import photographs
from diffusionseg.engine import Terminated


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lines_can_be_read_while_the_run_goes_on_and_are_added_to_what_is_there(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"event": "end"}\n{"event": "prog')
    with run_log(path) as log:
        log.start("verb", {"out": Path("x"), "count": 3}, settings={"steps": 2})
        log.write("failure", image="a", reason="empty")
        rest = [json.loads(line) for line in path.read_text().splitlines()[2:]]
        assert [line["event"] for line in rest] == ["start", "failure"]
        log.summary = {"made": 3}
    first, failure, last = lines_after = [json.loads(line) for line in path.read_text().splitlines()[2:]]
    assert (first["verb"], first["version"], first["options"]) == ("verb", __version__, {"out": "x", "count": 3})
    assert first["settings"] == {"steps": 2}
    assert (failure["image"], failure["reason"]) == ("a", "empty")
    assert (last["event"], last["status"], last["made"]) == ("end", "done", 3)
    for line in lines_after:
        assert timedelta(0) <= datetime.now(UTC) - datetime.fromisoformat(line["time"]) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("error", "status"),
    [(KeyboardInterrupt(), "interrupted"), (Terminated(), "terminated"), (ValueError("no such model"), "failed")],
)
def test_whatever_ends_a_run_is_its_last_line(error, status, tmp_path):
    with pytest.raises(type(error)), run_log(tmp_path / "log.jsonl"):
        raise error
    (last,) = lines(tmp_path / "log.jsonl")
    assert (last["event"], last["status"], last["error"]) == ("end", status, str(error) or type(error).__name__)


def test_progress_is_told_at_intervals_with_the_rate_of_this_run_alone(tmp_path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    with run_log(tmp_path / "log.jsonl") as log:
        for done in range(51, 75):
            log.progress(done, 100, {"failures": 1}, skipped=50)
            clock[0] += 0.5
        log.progress(1, None, stage="second")
    told = [line for line in lines(tmp_path / "log.jsonl") if line["event"] == "progress"]
    assert [(t["done"], t["rate"], t["seconds_left"]) for t in told[:3]] == [
        (51, None, None),
        (61, 2.0, 19.5),
        (71, 2.0, 14.5),
    ]
    assert (told[3]["stage"], told[3]["done"], told[3]["total"], told[3]["rate"]) == ("second", 1, None, None)
    assert told[0]["failures"] == 1
    assert len(told) == 4


def test_without_a_file_nothing_is_written_and_one_that_cannot_be_written_is_an_error_at_once(tmp_path):
    with run_log(None) as log:
        log.start("verb", {})
        log.progress(1, 2)
    done = CliRunner().invoke(
        application(), ["predict", "x", "--out", f"{tmp_path}/out", "--log", f"{tmp_path}/no/log.jsonl"]
    )
    assert done.exit_code == 2
    assert "no/log.jsonl: No such file" in done.output.replace("\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device without room")
def test_a_log_that_finds_no_room_ends_no_run():
    with Path("/dev/full").open("wb", buffering=0) as file:
        RunLog(file).write("event")


def test_synth_logs_its_shards_and_rejects(tmp_path):
    tiny_backbone("sd1").save_pretrained(tmp_path / "model")
    words = f"synth --model {tmp_path}/model --classes cat --count 2 --shard-size 1 --steps 2 --attempts 1 --device cpu"
    words += f" --prior 0.5 --max-border 0 --out {tmp_path}/set --log {tmp_path}/log.jsonl"
    done = CliRunner().invoke(application(), words.split())
    assert "the quality gate let no image pass" in done.output
    first, *between, last = lines(tmp_path / "log.jsonl")
    assert first["settings"]["cut"]["colour"]["prior"] == 0.5
    assert (first["verb"], first["settings"]["steps"], first["settings"]["gate"]["max_border"]) == ("synth", 2, 0)
    assert [line["shard"] for line in between if line["event"] == "shard"] == ["shard-000000.tar", "shard-000001.tar"]
    assert next(line for line in between if line["event"] == "progress")["rejects"]
    assert (last["status"], last["places"], last["samples"]) == ("done", 2, 0)


@pytest.mark.parametrize("verb", ["synth --classes cat --model nowhere", "train nowhere", "pretrain nowhere"])
def test_other_verbs_log_what_ended_them(verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(application(), [*verb.split(), "--out", "out", "--log", "log.jsonl"])
    assert done.exit_code == 2
    last = lines(tmp_path / "log.jsonl")[-1]
    assert (last["event"], last["status"]) == ("end", "failed")
    assert "nowhere" in last["error"]


def test_predict_reads_a_list_and_logs_what_failed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    shutil.copy(photographs()[0], tmp_path / "in" / "photo.jpg")
    words = ["predict", "--list", "-", "--out", "out", "--refine", "none", "--device", "cpu", "--log", "log.jsonl"]
    done = CliRunner().invoke(application(), [*words, "--json"], input="in/photo.jpg\nin/lost.jpg\n\nin/photo.jpg\n")
    assert done.exit_code == 1, done.output
    assert json.loads(done.stdout)["images"] == 2
    assert sorted(p.name for p in (tmp_path / "out" / "in").iterdir()) == ["photo.mask.png", "photo.saliency.png"]
    first, *_, last = found = lines(tmp_path / "log.jsonl")
    assert (first["event"], first["verb"], first["options"]["list"]) == ("start", "predict", "-")
    assert first["settings"]["refine"] == "none"
    assert {line["event"] for line in found} == {"start", "progress", "failure", "unit", "end"}
    assert [line["image"] for line in found if line["event"] == "failure"] == ["in/lost.jpg"]
    assert (last["status"], last["predicted"], last["failures"]) == ("done", 1, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--list", "nowhere.txt"], "--list nowhere.txt: No such file"),
        (["--list", "empty.txt"], "no file in empty.txt"),
        ([], "or --list FILE"),
        (["photos", "--list", "empty.txt"], "or --list FILE"),
        (["photos", "--engine", "slurm"], "--engine must be local, processes:N or ray[:ADDRESS]"),
    ],
)
def test_wrong_usage_of_predict_is_named(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.txt").write_text("\n")
    done = CliRunner().invoke(application(), ["predict", *words, "--out", "out"])
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
    assert not (tmp_path / "out").exists()
