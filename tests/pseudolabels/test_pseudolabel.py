"""Photographs become pairs: the same whatever was interrupted, and only where decoder and colours agree."""

import dataclasses
import io
import shutil

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from PIL import Image

from bright import Bright
from diffusionseg.attentioncut import ColourCutConfig
from diffusionseg.backbone.random_models import tiny_backbone
from diffusionseg.data import ManifestMismatch, StoredPairs, open_store, read_shards
from diffusionseg.exploitation import Decoder, DecoderConfig, DiffusionSeg, FeatureConfig, extract_features
from diffusionseg.memory import OutOfMemory
from diffusionseg.prediction import PredictConfig, predict_folder
from diffusionseg.prediction.predict import make_prediction
from diffusionseg.pseudolabels import PseudolabelConfig, pseudolabel
from diffusionseg.pseudolabels.photos import PhotoList
from diffusionseg.pseudolabels.run import label
from diffusionseg.synthesis import GateConfig
from hostile import full_disk

ANY = PseudolabelConfig(gate=GateConfig(0, 1, 1, 1, 0, 0), min_stability=0)
FEATURES = FeatureConfig(timesteps=(50,))


@pytest.fixture(scope="module")
def model():
    """A random decoder: what it finds does not matter, only that it is always the same."""
    backbone = tiny_backbone("sd1")
    size = backbone.image_size
    channels = [level.shape[1] for level in extract_features(backbone, torch.zeros(1, 3, size, size), FEATURES)]
    torch.manual_seed(0)
    return DiffusionSeg(backbone, Decoder(channels, DecoderConfig(width=16)), FEATURES)


def scene(seed, height=60, width=80):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    disc = np.hypot(y - rng.uniform(0.4, 0.6) * height, x - rng.uniform(0.4, 0.6) * width) < 0.25 * height
    noise = rng.integers(-10, 10, (height, width, 3))
    colours = rng.integers(150, 240, 3), rng.integers(20, 100, 3)
    return np.clip(np.where(disc[..., None], *colours) + noise, 0, 255).astype(np.uint8), disc


def encoded(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def sources(tmp_path):
    """A folder of four photographs and a text, and a table of three, one of them damaged."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    for n in range(4):
        (folder / ("deep" if n % 2 else "") / f"{n}.png").write_bytes(encoded(scene(n)[0]))
    (folder / "notes.txt").write_text("no photograph")
    cells = [encoded(scene(4)[0]), b"damaged", encoded(scene(5)[0])]
    table = tmp_path / "table.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"image": cells}), table)
    return [folder, table]


def digests(out):
    return {p.name: p.read_bytes() for p in sorted(out.iterdir())}


def test_every_photograph_is_a_pair_or_has_a_reason(model, sources, tmp_path):
    done = []
    summary = pseudolabel(model, sources, tmp_path / "set", config=ANY, report=lambda n, total: done.append((n, total)))
    assert summary.photographs == 8
    assert summary.samples + sum(summary.rejects.values()) == 8
    assert summary.rejects["unreadable"] == 2
    assert [line.split(":")[0] for line in summary.unreadable] == ["notes.txt", "table.parquet"]
    assert done == [(1, 8)] * 8
    names = [s.meta["source"] for s in read_shards(tmp_path / "set")]
    assert set(names) <= {"0.png", "2.png", "deep/1.png", "deep/3.png", "table.parquet:0", "table.parquet:2"}
    for image, mask in StoredPairs(tmp_path / "set"):
        assert image.shape[:2] == mask.shape == (60, 80)


def test_finished_shards_are_kept_and_missing_ones_made_with_the_same_bytes(model, sources, tmp_path):
    whole, again = tmp_path / "whole", tmp_path / "again"
    pseudolabel(model, sources, whole, config=ANY, shard_size=3)
    shutil.copytree(whole, again)
    for name in ("shard-000001.tar", "shard-000001.json", "preview.png"):
        (again / name).unlink()
    kept = (again / "shard-000000.tar").stat().st_mtime_ns
    pseudolabel(model, sources, again, config=ANY, shard_size=3)
    assert digests(again) == digests(whole)
    assert (again / "shard-000000.tar").stat().st_mtime_ns == kept


def test_a_model_without_generator_labels_as_well(sources, tmp_path):
    summary = pseudolabel(Bright(), sources, tmp_path / "set", config=ANY)
    assert summary.samples + sum(summary.rejects.values()) == 8
    assert Bright.fingerprint in (tmp_path / "set" / "manifest.json").read_text()
    for number, (_, mask) in enumerate(StoredPairs([tmp_path / "set"])):
        assert mask.any(), number


def test_a_set_in_an_object_store_is_the_one_in_a_folder(model, sources, tmp_path):
    store = open_store(f"memory:/{tmp_path}/set")
    pseudolabel(model, sources, tmp_path / "set", config=ANY, shard_size=3)
    pseudolabel(model, sources, str(store), config=ANY, shard_size=3)
    assert {name: store.read(name) for name in store.names()} == digests(tmp_path / "set")
    store.remove("shard-000001.json")
    pseudolabel(model, sources, str(store), config=ANY, shard_size=3)
    assert {name: store.read(name) for name in store.names()} == digests(tmp_path / "set")
    with pytest.raises(ManifestMismatch, match="sources"):
        pseudolabel(model, sources[:1], str(store), config=ANY, shard_size=3)


def test_another_set_is_refused_and_overwritten_on_demand(model, sources, tmp_path):
    out = tmp_path / "set"
    pseudolabel(model, sources, out, config=ANY)
    strict = dataclasses.replace(ANY, cut=ColourCutConfig(smoothness=1.0))
    with pytest.raises(ManifestMismatch, match="smoothness"):
        pseudolabel(model, sources, out, config=strict)
    with pytest.raises(ManifestMismatch, match="sources"):
        pseudolabel(model, sources[:1], out, config=ANY)
    assert pseudolabel(model, sources[:1], out, config=ANY, overwrite=True).photographs == 5


def test_its_own_files_predictions_and_other_sets_are_no_photographs(model, sources, tmp_path):
    folder = sources[0]
    alone = pseudolabel(model, [folder], tmp_path / "set", config=ANY)
    predict_folder(model, [folder], folder / "found")
    pseudolabel(model, [folder], folder / "earlier", config=ANY)
    for _ in range(2):
        inside = pseudolabel(model, [folder], folder / "labels", config=ANY)
        assert (inside.photographs, inside.samples) == (alone.photographs, alone.samples)
    with pytest.raises(ValueError, match="is the folder of the photographs; the files written would become"):
        pseudolabel(model, [folder], folder, config=ANY)


def test_other_pictures_under_the_same_names_are_another_set(model, sources, tmp_path):
    out, (folder, table) = tmp_path / "set", sources
    pseudolabel(model, sources, out, config=ANY, shard_size=3)
    (out / "shard-000001.json").unlink()
    kept = (folder / "0.png").read_bytes()
    (folder / "0.png").write_bytes(encoded(scene(9, 64)[0]))
    with pytest.raises(ManifestMismatch, match=r"sources\.sha256"):
        pseudolabel(model, sources, out, config=ANY, shard_size=3)
    (folder / "0.png").write_bytes(kept)
    rows = table.read_bytes()
    pyarrow.parquet.write_table(pyarrow.table({"image": [encoded(scene(n, 64)[0]) for n in range(3)]}), table)
    with pytest.raises(ManifestMismatch, match=r"sources\.sha256"):
        pseudolabel(model, sources, out, config=ANY, shard_size=3)
    table.write_bytes(rows)
    pseudolabel(model, sources, out, config=ANY, shard_size=3)


def test_a_link_that_leads_nowhere_is_a_photograph_that_cannot_be_read(model, sources, tmp_path):
    (sources[0] / "lost.png").symlink_to(tmp_path / "nowhere.png")
    summary = pseudolabel(model, sources[:1], tmp_path / "set", config=ANY)
    assert [line.split(":")[0] for line in summary.unreadable] == ["lost.png", "notes.txt"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"predict_config": PredictConfig(threshold=0.4)}, r"\(predict\.threshold is 0\.5, asked for 0\.4\)"),
        ({"predict_config": PredictConfig(flip=True)}, r"\(predict\.flip is False, asked for True\)"),
        ({"predict_config": PredictConfig(margins=(0.0, 0.2))}, r"predict\.margins"),
        ({"feature_config": dataclasses.replace(FEATURES, noise_seed=1)}, r"\(features\.noise_seed is 0, asked"),
        ({"backbone": tiny_backbone("sd1").to(dtype=torch.float16)}, r"\(dtype is 'float32', asked for 'float16'\)"),
    ],
)
def test_a_model_that_reads_otherwise_makes_another_set(model, sources, tmp_path, changed, said):
    pseudolabel(model, sources, tmp_path / "set", config=ANY)
    parts = {name: getattr(model, name) for name in ("backbone", "decoder", "feature_config", "predict_config")}
    # The same cut, so that nothing but the change differs.
    config = dataclasses.replace(ANY, cut=model.predict_config.cut)
    with pytest.raises(ManifestMismatch, match=said):
        pseudolabel(DiffusionSeg(**parts | changed), sources, tmp_path / "set", config=config)


def test_another_threshold_of_a_model_without_generator_makes_another_set(sources, tmp_path):
    model = Bright()
    pseudolabel(model, sources, tmp_path / "set", config=ANY)
    model.predict_config = dataclasses.replace(model.predict_config, threshold=0.4)
    with pytest.raises(ManifestMismatch, match=r"predict\.threshold"):
        pseudolabel(model, sources, tmp_path / "set", config=ANY)
    model.predict_config = dataclasses.replace(Bright.predict_config, refine="bilateral")
    pseudolabel(model, sources, tmp_path / "set", config=ANY)


def test_a_choice_is_random_fixed_by_its_seed_and_in_order(sources):
    everything = [photo.name for photo in PhotoList(sources)]
    assert len(everything) == 8
    chosen = [photo.name for photo in PhotoList(sources, 3, seed=1)]
    assert chosen == [photo.name for photo in PhotoList(sources, 3, seed=1)]
    assert [name for name in everything if name in chosen] == chosen
    assert any([photo.name for photo in PhotoList(sources, 3, seed=s)] != chosen for s in range(2, 6))


def test_sources_that_cannot_be_used_are_named(tmp_path):
    with pytest.raises(ValueError, match="nowhere"):
        PhotoList([tmp_path / "nowhere"])
    (tmp_path / "bad.parquet").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"bad\.parquet"):
        PhotoList([tmp_path / "bad.parquet"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no photograph"):
        PhotoList([tmp_path / "empty"])


def test_what_decoder_and_colours_agree_on_is_kept(model):
    image, disc = scene(0)
    good = make_prediction(disc.astype(np.float32), image, model.predict_config)
    sample, reason = label("a", 0, Image.fromarray(image), good)
    assert reason == ""
    mask = sample.mask_array() == 255
    assert (mask & disc).sum() / (mask | disc).sum() > 0.95
    third = np.where(disc, 0.45, 0.05).astype(np.float32)
    third[disc & (np.cumsum(disc, axis=1) < 10)] = 0.9
    unsure = make_prediction(third, image, dataclasses.replace(model.predict_config, refine="none"))
    assert label("a", 0, Image.fromarray(image), unsure)[1] == "attention and cut disagree"
    frame = make_prediction((~disc).astype(np.float32), image, model.predict_config)
    assert label("a", 0, Image.fromarray(image), frame)[0] is None


def test_objects_that_depend_on_the_constants_are_left_out(model):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    blob = np.zeros((60, 80), np.float32)
    blob[20:40, 25:50] = 1
    prediction = make_prediction(blob, noise, dataclasses.replace(model.predict_config, refine="none"))
    config = PseudolabelConfig(cut=ColourCutConfig(prior=1.0, smoothness=2.0))
    assert label("a", 0, Image.fromarray(noise), prediction, config) == (None, "unstable")
    trusting = dataclasses.replace(config, min_stability=0)
    assert label("a", 0, Image.fromarray(noise), prediction, trusting)[1] == ""


def test_large_photographs_are_stored_smaller(model):
    image, disc = scene(0, 300, 400)
    prediction = make_prediction(disc.astype(np.float32), image, model.predict_config)
    sample, _ = label("a", 0, Image.fromarray(image), prediction, PseudolabelConfig(max_side=100))
    assert sample.image_array().shape == (75, 100, 3)
    assert sample.mask_array().shape == (75, 100)
    assert sample.meta["size"] == [400, 300]


def test_memory_that_runs_out_ends_the_run_before_a_shard_lacks_what_it_should_hold(
    model, sources, tmp_path, monkeypatch
):
    real = DiffusionSeg.saliency

    def saliency(self, images, *views):
        if len(images) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(self, images, *views)

    monkeypatch.setattr(DiffusionSeg, "saliency", saliency)
    with pytest.raises(OutOfMemory, match=r"photographs at a time; use a smaller --batch-size"):
        pseudolabel(model, sources, tmp_path / "set", config=ANY)
    assert [p.name for p in (tmp_path / "set").iterdir()] == ["manifest.json"]


def test_a_full_disk_names_the_shard_and_the_next_run_makes_it(model, sources, tmp_path):
    options = {"config": ANY, "count": 2}
    pseudolabel(model, sources[:1], tmp_path / "whole", **options)
    with full_disk(5_000), pytest.raises(OSError, match=r"File too large: '.*shard-000000\.tar'"):
        pseudolabel(model, sources[:1], tmp_path / "set", **options)
    assert [p.name for p in (tmp_path / "set").iterdir()] == ["manifest.json"]
    pseudolabel(model, sources[:1], tmp_path / "set", **options)
    assert digests(tmp_path / "set") == digests(tmp_path / "whole")
