"""The commands and the Python code of the documentation and of every verb's help run, and links lead somewhere.

All that works in the folder `home` is here, so that one process does it, each command once.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from diffusionseg.demo import photographs

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
INSTALLS = ("pip install .", "pip install '.[test]'")
"""What the environment of this very test was made with."""


def blocks(language):
    """(page, code) of every fenced block of a language."""
    found = [
        (page.name, code)
        for page in PAGES
        for code in re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    ]
    assert found
    return found


def commands():
    """Every command of every page's bash blocks, installation and the call of pytest itself left out."""
    lines = [line for _, code in blocks("bash") for line in code.splitlines()]
    parts = [part.strip() for line in lines for part in line.split("&&")]
    return [part for part in dict.fromkeys(parts) if part not in (*INSTALLS, "pytest")]


def count_pairs(folder):
    return sum(json.loads(path.read_text())["samples"] for path in folder.glob("shard-*.json"))


def example(cli, verb, cwd):
    """The command of the example in a verb's help."""
    shown = cli([verb, "--help"], cwd)
    assert shown.returncode == 0
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", shown.stdout).split())
    found = re.search(r"Example[^:]*: diffusionseg (.+)$", text)
    assert found, text
    return f"diffusionseg {found[1]}"


@pytest.mark.slow
def test_commands_run_in_their_order(documented):
    found = commands()
    assert len(found) >= 5
    for command in found:
        assert command.startswith("diffusionseg "), command
        done = documented(command)
        assert done.returncode == 0, f"{command}\n{done.stderr}"


@pytest.mark.slow
@pytest.mark.parametrize(("page", "code"), blocks("python"))
def test_python_runs(page, code, home):
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=home, capture_output=True, text=True)
    assert done.returncode == 0, f"{page}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    for link in links:
        assert link.startswith("https://") or (page.parent / link).exists(), link


@pytest.mark.slow
def test_examples_of_synth_train_predict_and_eval_run_one_after_the_other(cli, documented, home):
    for verb in ("synth", "train", "predict", "eval"):
        done = documented(example(cli, verb, home))
        assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["images"] == len(photographs())
    assert (home / "pairs" / "preview.png").exists()
    assert (home / "decoder" / "curves.png").exists()
    assert len(list((home / "predictions").rglob("*.rgba.png"))) == len(photographs())


@pytest.mark.slow
def test_example_of_status_runs(cli, documented, home):
    assert documented(example(cli, "synth", home)).returncode == 0
    done = cli(example(cli, "status", home).removeprefix("diffusionseg "), home)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["finished"]
    assert found["samples"] == count_pairs(home / "pairs")


@pytest.mark.slow
def test_example_of_export_runs(cli, documented, home):
    assert documented(example(cli, "predict", home)).returncode == 0
    done = documented(example(cli, "export", home))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["images"] == len(photographs())
    instances = json.loads((home / "coco" / "annotations" / "instances_default.json").read_text())
    assert {image["file_name"] for image in instances["images"]} == {
        p.relative_to(home / "photos").as_posix() for p in (home / "photos").rglob("*.jpg")
    }


@pytest.mark.slow
def test_example_of_compare_runs(cli, documented, home):
    done = documented(example(cli, "compare", home))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["photographs"] == 2
    assert [row["method"] for row in found["rows"]] == ["centre"] * 3 + ["decoder"] * 3
    assert (home / "comparison" / "table.tex").read_text().count("AttentionCut + decoder") == 3


@pytest.mark.slow
def test_example_of_pseudolabel_runs_and_train_reads_its_pairs(cli, documented, home):
    for verb in ("synth", "train"):
        assert documented(example(cli, verb, home)).returncode == 0
    done = documented(example(cli, "pseudolabel", home))
    assert done.returncode in (0, 2), done.stderr
    everything = "--max-border 1 --min-agreement 0 --out all-pairs --json"
    done = cli(f"pseudolabel photos photo.jpg --weights decoder {everything}", home)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["photographs"] == len(photographs()) + 1
    assert summary["samples"] + sum(summary["rejects"].values()) == summary["photographs"]
    again = cli("train pairs all-pairs --steps 2 --batch-size 2 --views 1 --out second --json", home)
    assert json.loads(again.stdout)["pairs"] == summary["samples"] + count_pairs(home / "pairs")


@pytest.mark.slow
def test_example_of_distill_runs(cli, documented, home):
    assert documented(example(cli, "synth", home)).returncode == 0
    done = documented(example(cli, "distill", home) + " --steps 2 --batch-size 4 --side 32")
    assert done.returncode == 0, done.stderr
    assert (home / "my-student" / "student-int8.onnx").exists()


@pytest.mark.slow
def test_example_of_pretrain_runs_and_its_model_synthesises(cli, documented, home):
    done = documented(example(cli, "pretrain", home) + " --autoencoder-steps 4 --batch-size 4")
    assert done.returncode == 0, done.stderr
    done = cli(
        "synth --model my-generator/model --classes animals --count 1 --steps 2 --attempts 1 --out tiny --json", home
    )
    assert done.returncode in (0, 2), done.stderr
    assert json.loads(done.stdout)["places"] == 1


def test_example_of_doctor_runs(cli, documented, home):
    done = documented(example(cli, "doctor", home))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["offline"] is True
    assert report["model"]["name"] == "mini"
    assert report["devices"]["cpu"]["unet_call_seconds"] > 0
    assert report["packages"]["torch"]


@pytest.mark.slow
def test_example_of_demo_leaves_a_self_contained_page(cli, documented, home):
    done = documented(example(cli, "demo", home))
    assert done.returncode == 0, done.stderr
    page = (home / "demo" / "report.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', page)
    assert sources
    assert all(s.startswith("data:image/") for s in sources)
    assert "http" not in re.sub(r'"data:image/[^"]*"', "", page)
    assert page.count('<figure class="pair">') >= 24
    assert page.count('<div class="photo">') >= 4
    assert 'alt="training curves"' in page
    kinds = {p.name.split(".")[1] for p in (home / "demo" / "predictions").iterdir()}
    assert kinds == {"saliency", "mask", "rgba", "overlay"}
    with Image.open(home / "demo" / "photos.png") as sheet:
        assert sheet.height > 4 * 150


def test_example_of_datasets_check_runs(cli, documented, home):
    shown = cli("datasets check --help", home).stdout
    found = re.search(r"Example: (diffusionseg .+?)\s*$", " ".join(re.sub(r"[│╭╮╰╯─]", " ", shown).split()))
    assert found, shown
    done = documented(found[1])
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["pairs"] == len(photographs())
    assert report["layout"] == "masks without photographs"
