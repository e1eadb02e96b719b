"""A student learns, resumes to the bit, is written as it was trained, and predicts without torch."""

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file

from diffusionseg.data import ImageError
from diffusionseg.distillation import DistillConfig, NetworkConfig, StudentNetwork, distill
from diffusionseg.engine import Engine
from diffusionseg.prediction import PredictConfig, predict_folder
from diffusionseg.status import folder_status
from diffusionseg.student import Student
from discs import disc_pair
from small_student import SETTINGS


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize("file", ["student.onnx", "student-int8.onnx"])
def test_it_learns_the_discs_also_in_8_bits(folder, file):
    model = Student.from_pretrained(folder / file)
    unseen = [disc_pair(200 + seed, 50) for seed in range(6)]
    found = model.predict([image for image, _ in unseen], config=PredictConfig(refine="none"))
    assert np.mean([iou(p.mask, mask == 255) for p, (_, mask) in zip(found, unseen, strict=True)]) > 0.75
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["held_out_iou"] > 0.75


def test_the_file_is_the_network_that_was_trained(folder, student):
    network = StudentNetwork(SETTINGS.network)
    saved = load_file(folder / "checkpoint.safetensors")
    network.load_state_dict({k[8:]: v for k, v in saved.items() if k.startswith("average.")})
    image = disc_pair(300, 32)[0]
    picture = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        expected = network.eval()(picture).sigmoid()[0, 0].numpy()
    found = student.saliency([image])[0]
    assert found.shape == (16, 16)
    # Its weights are stored in half precision.
    assert np.abs(found - expected).max() < 5e-3


def test_files_are_those_of_the_configuration_and_tell_nothing_of_this_machine(folder):
    for name, digest in json.loads((folder / "config.json").read_text())["files"].items():
        content = (folder / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
        assert not [b for b in (b"site-packages", b"distillation/", b"Traceback", b".py:") if b in content]
        onnx.checker.check_model(onnx.load(folder / name))
        assert onnx.load(folder / name).graph.input[0].type.tensor_type.shape.dim[0].dim_param


def test_a_resumed_run_is_the_same_to_the_bit(folder, pairs, tmp_path):
    class Stop(Exception):
        pass

    def stop(done, total, values):
        if done == 40:
            raise Stop

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.raises(Stop):
        distill(pairs, tmp_path / "run", config=SETTINGS, report=stop)
    distill(pairs, tmp_path / "run", config=SETTINGS)
    torch.set_num_threads(threads)
    for name in ("student.onnx", "student-int8.onnx", "checkpoint.safetensors", "config.json"):
        assert (tmp_path / "run" / name).read_bytes() == (folder / name).read_bytes(), name


def test_the_card_is_of_the_run_that_an_interruption_left_to_finish(folder, pairs, tmp_path):
    def stop(done, total, values):
        raise KeyboardInterrupt

    out = tmp_path / "run"
    shutil.copytree(folder, out)
    one = replace(SETTINGS, training=replace(SETTINGS.training, steps=1))
    with pytest.raises(KeyboardInterrupt):
        distill(pairs, out, config=one, overwrite=True, report=stop)
    distill(pairs, out, config=one)
    assert "1 steps of" in (out / "README.md").read_text()
    (out / "README.md").write_text("mine")
    distill(pairs, out, config=one)
    assert (out / "README.md").read_text() == "mine"


def test_a_run_begins_with_the_weights_of_another(folder, pairs, tmp_path):
    none = replace(SETTINGS, training=replace(SETTINGS.training, steps=1, learning_rate=1e-9, average_decay=0.0))
    distill(pairs, tmp_path / "same", config=none, start_from=folder)
    first, same = (load_file(place / "checkpoint.safetensors") for place in (folder, tmp_path / "same"))
    for name in (n for n in first if n.startswith("average.") and n.endswith("weight")):
        assert torch.allclose(first[name], same[name], atol=1e-6)
    began = json.loads((tmp_path / "same" / "config.json").read_text())["start_from"]
    assert len(began) == 64
    with pytest.raises(ValueError, match=r"holds another run \(start_from differ\)"):
        distill(pairs, tmp_path / "same", config=none)
    assert "start_from" not in json.loads((folder / "config.json").read_text())


def test_weights_to_begin_with_that_do_not_fit_cost_no_earlier_run(folder, pairs, tmp_path):
    wider = replace(SETTINGS, network=replace(SETTINGS.network, fusion=16))
    out = tmp_path / "out"
    out.mkdir()
    (out / "student.onnx").write_bytes((folder / "student.onnx").read_bytes())
    with pytest.raises(ValueError, match=r"--start-from .*checkpoint\.safetensors: belongs to another model"):
        distill(pairs, out, config=wider, start_from=folder, overwrite=True)
    with pytest.raises(ValueError, match=r"--start-from .*out: holds no checkpoint\.safetensors; give the folder of a"):
        distill(pairs, out, config=SETTINGS, start_from=out, overwrite=True)
    assert (out / "student.onnx").read_bytes() == (folder / "student.onnx").read_bytes()
    shutil.copy(folder / "checkpoint.safetensors", out)
    with pytest.raises(ValueError, match=r"--start-from .*out: --overwrite deletes it; copy that run, or choose anoth"):
        distill(pairs, out, config=SETTINGS, start_from=out, overwrite=True)
    assert (out / "checkpoint.safetensors").read_bytes() == (folder / "checkpoint.safetensors").read_bytes()


def test_a_card_in_a_folder_without_a_run_stays(folder, pairs, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    one = replace(SETTINGS, training=replace(SETTINGS.training, steps=1))
    distill(pairs, tmp_path, config=one, overwrite=True)
    assert (tmp_path / "README.md").read_text() == "mine"
    distill(pairs, tmp_path, config=one, overwrite=True)
    assert "1 steps of" in (tmp_path / "README.md").read_text()


def test_another_run_in_the_folder_is_refused(folder, pairs):
    changed = replace(SETTINGS, training=replace(SETTINGS.training, learning_rate=1e-3))
    with pytest.raises(ValueError, match=r"holds another run \(training.learning_rate differ\)"):
        distill(pairs, folder, config=changed)
    with pytest.raises(ValueError, match="no pair to train on"):
        distill([], folder, config=SETTINGS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DistillConfig(side=100), "--side must be a multiple of 32, got 100"),
        (
            lambda: DistillConfig(side=32, training=replace(SETTINGS.training, batch_size=1)),
            "--batch-size must be at least 2 with --side 32",
        ),
        (lambda: NetworkConfig(widths=(8, 8), depths=(1,)), "widths and depths must be as many"),
        (lambda: NetworkConfig(widths=(8, 4), depths=(1, 1)), "too small"),
    ],
)
def test_wrong_settings_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_engines_and_company_change_nothing(student, photos, tmp_path):
    alone = {str(n): student.predict(photos / f"{n}.png")[0].saliency.tobytes() for n in range(5)}
    together = dict(student.predict_iter((str(n), photos / f"{n}.png") for n in range(6)))
    assert isinstance(together.pop("5"), ImageError)
    assert {key: found.saliency.tobytes() for key, (_, found) in together.items()} == alone
    for name, engine in (("local", Engine("local")), ("two", Engine("processes", 2))):
        summary = predict_folder(student, [photos], tmp_path / name, engine=engine)
        assert (summary.predicted, len(summary.errors)) == (5, 1)
    for path in (tmp_path / "local").glob("*.png"):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_flipping_averages_with_the_mirror(student, photos):
    image = disc_pair(7, 32)[0]
    plain, mirrored = student.saliency([image])[0], student.saliency([image[:, ::-1]])[0]
    assert np.allclose(student.saliency([image], flip=True)[0], (plain + mirrored[:, ::-1]) / 2, atol=1e-6)


def test_the_command_line_imports_nothing_that_a_student_does_not_need(folder, photos, tmp_path):
    costly = {"torch", "diffusers", "transformers", "huggingface_hub", "onnx", "matplotlib", "fsspec"}
    costly |= {f"scipy.{room}" for room in ("cluster", "interpolate", "optimize", "spatial", "stats")}
    others = {"diffusionseg.cli.train", "diffusionseg.evaluation", "diffusionseg.synthesis"}
    code = (
        "import sys\n"
        f"sys.argv = ['diffusionseg', 'predict', {str(photos)!r}, '--weights', {str(folder)!r}, '--out', 'p']\n"
        "from diffusionseg.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    print(end.code)\n"
        f"print(sorted({costly | others!r} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["1", "[]"], done.stderr
    assert len(list((tmp_path / "p").glob("*.mask.png"))) == 5


def test_without_the_packages_that_write_it_nothing_is_trained(pairs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    monkeypatch.delitem(sys.modules, "diffusionseg.distillation.onnx_files", raising=False)
    with pytest.raises(ValueError, match=r"pip install 'diffusionseg\[onnx\]'"):
        distill(pairs, tmp_path / "out", config=SETTINGS)
    assert not (tmp_path / "out").exists()


def test_the_verb_makes_a_student_that_predicts(cli, stored, photos, tmp_path):
    command = f"distill {stored} --out s --side 32 --steps 2 --batch-size 2 --autocast bf16 --json"
    made = cli(command, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert told["steps"] == 2
    assert {"loss", "held_out_iou"} <= told.keys()
    # A run that was finished tells the same once more.
    assert cli(command, cwd=tmp_path).stdout == made.stdout
    assert (standing := folder_status(tmp_path / "s")).finished, standing
    described = json.loads((tmp_path / "s" / "config.json").read_text())
    assert described["predict"]["cut"]["prior"] == 0.25  # As its teacher's.
    assert (described["predict"]["flip"], described["predict"]["margins"]) == (True, [0, 0.15])
    assert described["training"]["dtype"] == "bf16"
    done = cli(f"predict {photos} --weights s --out p --json --refine guided", cwd=tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout)["predicted"] == 5
