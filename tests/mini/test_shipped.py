"""The weights that come with the package."""

import json
from pathlib import Path

import pytest

from diffusionseg import mini
from diffusionseg.backbone import Backbone
from diffusionseg.demo import photographs
from diffusionseg.exploitation import DiffusionSeg
from diffusionseg.segmenters import load_segmenter

LIMIT_MB = 60
FOLDERS = (mini.model_path(), *map(mini.weights_path, mini.WEIGHTS))


@pytest.fixture(scope="module")
def backbone():
    return Backbone.from_pretrained("mini", device="cpu")


def test_the_files_are_few_and_none_is_a_pickle():
    files = [p for folder in FOLDERS for p in folder.rglob("*") if p.is_file()]
    assert {p.suffix for p in files} <= {".json", ".safetensors", ".txt", ".md", ".onnx"}
    assert sum(p.stat().st_size for p in files) < LIMIT_MB * 1e6


def test_the_generator_is_a_stable_diffusion_folder_that_diffusers_opens():
    from diffusers import DiffusionPipeline

    index = json.loads((mini.model_path() / "model_index.json").read_text())
    assert index["_class_name"] == "StableDiffusionPipeline"
    pipeline = DiffusionPipeline.from_pretrained(mini.model_path(), local_files_only=True)
    assert type(pipeline.unet).__name__ == "UNet2DConditionModel"


def test_every_class_has_a_span_of_its_own_words(backbone):
    names = mini.class_names()
    assert len(names) > 10
    for name in names:
        backbone.encode_prompts([f"a photo of a {name}"], [name])


def test_the_student_is_small_and_predicts():
    files = list(mini.weights_path("student").iterdir())
    assert sum(p.stat().st_size for p in files) < 15e6
    for name in ("student", "student-int8"):
        found = load_segmenter(name).predict(photographs()[0])[0]
        assert 0.02 < found.mask.mean() < 0.8


@pytest.mark.parametrize("name", [name for name in mini.WEIGHTS if name != "student"])
def test_the_decoders_were_trained_on_this_generator(name, backbone):
    described = json.loads((mini.weights_path(name) / "config.json").read_text())["backbone"]
    assert described == {"name": "mini", "fingerprint": backbone.fingerprint}
    DiffusionSeg.from_pretrained(name, backbone=backbone)


def test_the_cards_name_licence_training_data_and_limits():
    for folder in FOLDERS:
        card = Path(folder, "README.md").read_text().lower()
        for word in ("licen", "trained on", "non-commercial", "limits"):
            assert word in card, (folder.name, word)
