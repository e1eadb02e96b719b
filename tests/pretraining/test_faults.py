"""A run on a disk that fills up loses nothing, and damaged parts of it are named."""

import shutil

import pytest
import torch

from diffusionseg.pretraining import pretrain, read_photos, samples
from hostile import contents, full_disk


@pytest.fixture(scope="module")
def begin(tmp_path_factory, write_photos, short):
    """Run in a folder; and the folder of a run that nothing disturbed."""
    home = tmp_path_factory.mktemp("faults")
    photos = read_photos([write_photos(home / "photos")], 32)

    def run(out, **options):
        return pretrain(photos, photos.names, {}, out, short, device=torch.device("cpu"), **options)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "STEPS", 2)
        run(home / "whole")
        yield run, home / "whole"
    torch.set_num_threads(threads)


def test_a_disk_that_fills_up_at_every_stage(begin, tmp_path):
    run, whole = begin
    expected = contents(whole)
    failed = []
    for limit in (3_000, 300_000, 5_000_000):
        with full_disk(limit), pytest.raises(OSError, match="File too large: ") as caught:
            run(tmp_path)
        failed.append(caught.value.filename.removeprefix(f"{tmp_path}/"))
        left = contents(tmp_path)
        assert not [name for name in left if "/." in f"/{name}"]
        assert all(left[name] == expected[name] for name in left if name.startswith("model/")), failed
    run(tmp_path)
    found = contents(tmp_path)
    assert found.keys() == expected.keys()
    for name in expected:
        assert name in ("metrics.jsonl", "curves.png") or found[name] == expected[name], name
    assert failed == ["model/tokenizer", "model/vae", "checkpoint.safetensors"]


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("model/vae/components.safetensors", "model/vae: cannot be read .*delete this folder"),
        ("model/vae/diffusion_pytorch_model.safetensors", "model/vae: cannot be read .*delete this folder"),
        ("model/tokenizer/tokenizer.json", "model/tokenizer: cannot be read .*delete this folder"),
        ("pretrain.json", "pretrain.json: not valid JSON"),
        ("checkpoint.safetensors", "checkpoint.safetensors: damaged .*put a copy of it back"),
    ],
)
def test_damaged_parts_of_a_run_are_named_with_what_to_do(begin, tmp_path, file, named):
    run, whole = begin
    shutil.copytree(whole, tmp_path / "run")
    path = tmp_path / "run" / file
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=named):
        run(tmp_path / "run")


@pytest.mark.parametrize("part", ["unet/diffusion_pytorch_model", "vae/components"])
def test_a_damaged_model_to_start_from_is_named(begin, tmp_path, part):
    run, whole = begin
    shutil.copytree(whole / "model", tmp_path / "model")
    path = tmp_path / "model" / f"{part}.safetensors"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=str(tmp_path / "model")):
        run(tmp_path / "run", start_from=tmp_path / "model")
