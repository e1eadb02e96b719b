"""Wrong usage and wrong input: exit status, messages, and nothing lost."""

import json
import os
import re
import resource
import subprocess
import sys

import pytest
import typer
from PIL import Image

from diffusionseg.cli import console
from picture_zoo import bad_files, good_files


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixed") / "in"
    return folder, sorted(good_files(folder)), sorted(bad_files(folder))


@pytest.mark.slow
def test_twelve_good_and_twelve_bad_files(cli, mixed, tmp_path):
    folder, good, bad = mixed
    done = cli(["predict", folder, "--out", "P", "--json"], tmp_path)
    assert done.returncode == 1
    result = json.loads(done.stdout)
    assert (result["images"], result["predicted"], len(result["errors"])) == (24, 12, 12)
    assert sorted(e["image"] for e in result["errors"]) == bad
    for name in bad:
        assert f"failed: {name}: " in done.stderr
    assert len(list((tmp_path / "P").glob("*.mask.png"))) == 12
    records = [json.loads(x) for x in (tmp_path / "P" / "predictions.jsonl").read_text().splitlines()]
    assert sorted(r["image"] for r in records if "boxes" in r) == good
    assert sorted(r["image"] for r in records if "error" in r) == bad

    again = cli(["predict", folder, "--out", "P", "--json"], tmp_path)
    assert again.returncode == 1
    result = json.loads(again.stdout)
    assert (result["predicted"], result["skipped"], len(result["errors"])) == (0, 12, 12)

    other = cli(["predict", folder, "--out", "P", "--threshold", "0.3"], tmp_path)
    assert other.returncode == 2
    assert "threshold" in other.stderr
    assert "--overwrite" in other.stderr


def test_only_bad_files_is_status_two(cli, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_text("nothing")
    assert cli("predict in --out P", tmp_path).returncode == 2


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("synth --classes , --out A", "--classes"),
        ("synth --classes cat --out A --workers 3", "--workers is for --engine ray"),
        (
            "synth --classes cat --out A --engine rya --workers 3",
            "--engine must be local, processes:N or ray[:ADDRESS]",
        ),
        ("train A --out B --inversion-steps 3", "--inversion-steps is for --mode inversion"),
        ("eval --pred A --boxes B --jobs 2", "--jobs does not go with --boxes"),
        ("eval --pred A --coco B --engine processes:2", "--engine does not go with --coco"),
        ("synth --classes cat --out A --guidance 99", "--guidance"),
        ("synth --classes cat --out A --template nothing", "--template"),
        ("synth --classes cat --out A --refine bilateral", "--refine"),
        ("synth --classes cat --out A --prior -1", "--prior must be in"),
        ("synth --classes cat --out A --prior nan", "--prior must be in"),
        ("synth --classes cat --out A --refine guided --prior 1", "--refine cut alone"),
        ("synth --classes cat --out A --model nowhere", "nowhere"),
        ("synth --classes cat --out A --device cuda:7", "cuda:7"),
        ("synth --classes cat --out A --device toaster", "toaster"),
        ("train nowhere --out R", "nowhere"),
        ("train . --out R --timesteps a", "--timesteps"),
        ("train . --out R --mode backwards", "'backwards' is not one of"),
        ("distill . --out R --autocast half", "'half' is not one of"),
        ("pretrain . --out M --resume", "--resume: M holds no run"),
        ("predict nowhere --out P", "nowhere"),
        ("predict . --out P --weights nowhere", "nowhere"),
        ("predict . --out P --type poster", "poster"),
        ("eval --pred P", "--masks"),
        ("eval --pred nowhere --masks .", "nowhere"),
        ("eval --pred . --masks nowhere", "nowhere"),
        ("eval --pred P --masks . --protocol other", "other"),
        ("eval --pred P --boxes boxes.jsonl --protocol tokencut", "--protocol"),
        ("synth --classes @latin1.txt --out A", "latin1.txt"),
        ("synth --classes @missing.txt --out A", "missing.txt"),
        ("pretrain nowhere --out M", "nowhere"),
    ],
)
def test_wrong_usage_is_status_two_and_names_the_cause(cli, tmp_path, command, said):
    (tmp_path / "file.txt").write_text("x")
    (tmp_path / "latin1.txt").write_bytes("k\xe4fer".encode("latin-1"))
    done = cli(command, tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_configuration_file_gives_defaults_and_flags_win(cli, tmp_path):
    (tmp_path / "c.toml").write_text('classes = "cat"\nout = "A"\nguidance = 99\n')
    assert "--guidance must be in" in cli("synth --config c.toml", tmp_path).stderr
    assert "--prior must be in" in cli("synth --config c.toml --guidance 2 --prior 1001", tmp_path).stderr
    (tmp_path / "c.toml").write_text('classes = "cat"\nout = "A"\nprior = 2\nrefine = "guided"\nguidance = 99\n')
    assert "--prior counts in --refine cut alone" in cli("synth --config c.toml", tmp_path).stderr
    assert "--guidance must be in" in cli("synth --config c.toml --refine cut", tmp_path).stderr
    assert "--steps must be in" in cli("synth --config c.toml --guidance 2 --refine cut --steps 0", tmp_path).stderr
    (tmp_path / "c.toml").write_text('type = "poster"\n')
    assert "--type poster" in cli("predict . --out P --config c.toml", tmp_path).stderr
    (tmp_path / "c.toml").write_text("colour = 1\n")
    done = cli("synth --config c.toml --classes cat --out A", tmp_path)
    assert done.returncode == 2
    assert "colour" in done.stderr
    (tmp_path / "c.toml").write_text("colour = \n")
    assert "not valid TOML" in " ".join(cli("synth --config c.toml --classes cat --out A", tmp_path).stderr.split())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "out of memory (MemoryError); lower --batch-size"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"), "lower --batch-size or --jobs"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB.\nDetails"), "allocate 2 GiB.); lower --batch-size"),
        (MemoryError("out of memory with one at a time; do this"), "error: out of memory with one at a time; do this"),
        (OSError(28, "No space left on device", "a.png"), "No space left on device: 'a.png'"),
        (PermissionError(13, "Permission denied", "b"), "Permission denied: 'b'"),
    ],
)
def test_want_of_memory_and_room_is_status_two_with_what_to_do(error, said, capsys):
    with pytest.raises(typer.Exit) as ended, console.errors_named():
        raise error
    assert ended.value.exit_code == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_errors_that_are_our_own_are_not_hidden():
    with pytest.raises(RuntimeError, match="shapes"), console.errors_named():
        raise RuntimeError("shapes do not fit")


def test_a_full_disk_under_the_report_or_stdout_is_a_message_and_no_traceback(tmp_path):
    for folder in ("pred", "masks"):
        (tmp_path / folder).mkdir()
        Image.new("L", (40, 30), 255).save(tmp_path / folder / f"a{'.saliency' * (folder == 'pred')}.png")
    command = [sys.executable, "-m", "diffusionseg", "eval", "--pred", "pred", "--masks", "masks"]
    done = subprocess.run(
        [*command, "--report", "R"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)),
    )
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert re.search(r"File too large: 'R/\S+'", done.stderr)
    assert not list(tmp_path.rglob(".*"))
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run([*command, "--json"], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert "the result cannot be written to stdout (No space left on device)" in done.stderr


def test_names_of_files_that_are_no_text_are_printed(cli, tmp_path):
    (tmp_path / "masks").mkdir()
    try:
        (tmp_path / "masks" / os.fsdecode(b"k\xe4fer.png")).write_bytes(b"no picture")
    except OSError:
        pytest.skip("this file system has no such names")
    done = cli("datasets check masks", tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert r"k\udce4fer.png: " in done.stdout
