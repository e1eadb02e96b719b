"""Predicting folders: what is done is skipped, what has changed is not, and nothing of two runs is mixed."""

import json
import os

import numpy as np
import pytest
import torch
from PIL import Image

from diffusionseg.backbone.random_models import tiny_backbone
from diffusionseg.data import write_manifest, write_shard
from diffusionseg.exploitation import Decoder, DecoderConfig, DiffusionSeg, FeatureConfig, extract_features
from diffusionseg.prediction import CutoutConfig
from diffusionseg.prediction import predict_folder as predict
from diffusionseg.status import folder_status

FEATURES = FeatureConfig(timesteps=(50,))


def segmenter(backbone, bias):
    """A decoder that finds everything (bias above 0) or nothing."""
    size = backbone.image_size
    channels = [level.shape[1] for level in extract_features(backbone, torch.zeros(1, 3, size, size), FEATURES)]
    decoder = Decoder(channels, DecoderConfig(width=16))
    torch.nn.init.zeros_(decoder.head[1].weight)
    torch.nn.init.constant_(decoder.head[1].bias, bias)
    return DiffusionSeg(backbone, decoder, FEATURES)


@pytest.fixture(scope="module")
def everything(backbone):
    return segmenter(backbone, 9.0)


@pytest.fixture(scope="module")
def nothing(backbone):
    return segmenter(backbone, -9.0)


def photo(path, size=(40, 30), seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def records(out):
    return [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]


def test_what_is_done_is_skipped_and_what_changed_is_done_again(everything, tmp_path):
    photo(tmp_path / "in" / "a.png")
    photo(tmp_path / "in" / "b.png")
    out = tmp_path / "out"
    assert predict(everything, [tmp_path / "in"], out).predicted == 2
    assert predict(everything, [tmp_path / "in"], out).skipped == 2
    photo(tmp_path / "in" / "a.png", (50, 20))
    os.utime(tmp_path / "in" / "a.png", (1, 1))
    summary = predict(everything, [tmp_path / "in"], out)
    assert (summary.predicted, summary.skipped) == (1, 1)
    with Image.open(out / "a.mask.png") as mask:
        assert mask.size == (50, 20)
    (out / "b.mask.png").unlink()
    assert predict(everything, [tmp_path / "in"], out).predicted == 1
    assert [r["image"] for r in records(out)] == ["a.png", "b.png"]


def test_a_kind_asked_for_later_shows_the_photograph_as_it_is_now(everything, tmp_path):
    photo(tmp_path / "in" / "a.png")
    out = tmp_path / "out"
    predict(everything, [tmp_path / "in"], out, kinds=["mask", "rgba"])
    photo(tmp_path / "in" / "a.png", (50, 20))
    os.utime(tmp_path / "in" / "a.png", (1, 1))
    predict(everything, [tmp_path / "in"], out, kinds=["mask"])
    assert not (out / "a.rgba.png").exists()
    assert predict(everything, [tmp_path / "in"], out, kinds=["mask", "rgba"]).predicted == 1
    with Image.open(out / "a.rgba.png") as cutout:
        assert cutout.size == (50, 20)


def test_the_folder_tells_whether_the_last_run_came_to_its_end(everything, tmp_path):
    for folder, names in (("one", "ab"), ("two", "cdef")):
        for name in names:
            photo(tmp_path / folder / f"{name}.png")
    out = tmp_path / "out"

    def stop(dealt):
        if dealt.predicted == 2:
            raise KeyboardInterrupt

    def standing():
        found = folder_status(out)
        return found.done, found.total, found.finished

    predict(everything, [tmp_path / "one"], out)
    assert standing() == (2, 2, True)
    with pytest.raises(KeyboardInterrupt):
        predict(everything, [tmp_path / "two"], out, batch_size=1, report=stop)
    done, total, finished = standing()
    assert (done >= 4, total, finished) == (True, None, False)
    predict(everything, [tmp_path / "two"], out)
    assert standing() == (6, 6, True)
    predict(everything, [tmp_path / "one"], out)
    assert standing() == (6, 6, True)


def test_another_decoder_is_refused(everything, nothing, tmp_path):
    photo(tmp_path / "in" / "a.png")
    predict(everything, [tmp_path / "in"], tmp_path / "out")
    with pytest.raises(ValueError, match=r"weights differ.*--overwrite"):
        predict(nothing, [tmp_path / "in"], tmp_path / "out")


def test_a_photograph_of_the_same_name_from_elsewhere_is_refused(everything, tmp_path):
    for folder in ("one", "two"):
        photo(tmp_path / folder / "a.png")
    predict(everything, [tmp_path / "one"], tmp_path / "out")
    with pytest.raises(ValueError, match=r"holds a\.png predicted from .*one"):
        predict(everything, [tmp_path / "two"], tmp_path / "out")


def test_names_of_earlier_runs_are_not_taken_again(everything, tmp_path):
    photo(tmp_path / "in" / "a.png")
    photo(tmp_path / "in" / "a.webp", (60, 60))
    predict(everything, [tmp_path / "in"], tmp_path / "out", include=["*.png"])
    predict(everything, [tmp_path / "in"], tmp_path / "out", include=["*.webp"])
    sizes = []
    for path in (tmp_path / "out").glob("*.mask.png"):
        with Image.open(path) as mask:
            sizes.append(mask.size)
    assert sorted(sizes) == [(40, 30), (60, 60)]


def test_overwriting_leaves_no_picture_of_the_run_before(everything, nothing, tmp_path):
    photo(tmp_path / "in" / "a.png")
    photo(tmp_path / "in" / "b.png")
    out = tmp_path / "out"
    predict(everything, [tmp_path / "in"], out)
    (out / "notes.txt").write_text("mine")
    (tmp_path / "in" / "b.png").write_bytes(b"broken now")
    summary = predict(nothing, [tmp_path / "in"], out, kinds=["mask"], overwrite=True)
    assert [name for name, _ in summary.errors] == ["b.png"]
    assert sorted(p.name for p in out.iterdir()) == ["a.mask.png", "notes.txt", "predictions.jsonl", "settings.json"]
    with Image.open(out / "a.mask.png") as mask:
        assert mask.getextrema() == (0, 0)


def test_overwriting_with_the_same_settings_does_what_is_given_again_and_leaves_the_rest(everything, tmp_path):
    for name in "abc":
        photo(tmp_path / "in" / f"{name}.png")
    out = tmp_path / "out"
    predict(everything, [tmp_path / "in"], out)
    for name in "ab":
        (out / f"{name}.mask.png").write_bytes(b"edited")
    summary = predict(everything, [tmp_path / "in" / "a.png"], out, overwrite=True)
    assert (summary.predicted, summary.skipped, summary.deleted) == (1, 0, 0)
    with Image.open(out / "a.mask.png") as mask:
        assert mask.size == (40, 30)
    assert (out / "b.mask.png").read_bytes() == b"edited"
    assert sorted(record["image"] for record in records(out)) == ["a.png", "b.png", "c.png"]
    with pytest.raises(ValueError, match="no such file"):
        predict(everything, [tmp_path / "in" / "missing.png"], out, overwrite=True)
    assert len(records(out)) == 3


def test_what_an_interrupted_overwriting_left_is_done_by_the_next_run(everything, tmp_path):
    for name in "abcd":
        photo(tmp_path / "in" / f"{name}.png")
    out = tmp_path / "out"
    predict(everything, [tmp_path / "in"], out)
    for name in "abcd":
        (out / f"{name}.mask.png").write_bytes(b"edited")

    def stop(dealt):
        if dealt.predicted == 2:
            raise KeyboardInterrupt

    inputs = [tmp_path / "in" / f"{name}.png" for name in "abc"]
    with pytest.raises(KeyboardInterrupt):
        predict(everything, inputs, out, overwrite=True, report=stop)
    assert not (standing := folder_status(out)).finished, standing
    summary = predict(everything, inputs, out)
    assert summary.predicted + summary.skipped == 3
    assert summary.predicted >= 1
    edited = [path.name for path in sorted(out.glob("*.mask.png")) if path.read_bytes() == b"edited"]
    assert edited == ["d.mask.png"]


def test_overwriting_with_other_settings_says_how_much_is_deleted(everything, nothing, tmp_path):
    for name in "abc":
        photo(tmp_path / "in" / f"{name}.png")
    predict(everything, [tmp_path / "in"], tmp_path / "out")
    told = []
    summary = predict(nothing, [tmp_path / "in" / "a.png"], tmp_path / "out", overwrite=True, cleared=told.append)
    assert (summary.predicted, summary.deleted, told) == (1, 3, [3])
    assert [record["image"] for record in records(tmp_path / "out")] == ["a.png"]


def test_what_cut_outs_look_like_concerns_folders_with_cut_outs_alone(everything, tmp_path):
    photo(tmp_path / "in" / "a.png")
    out, white, red = tmp_path / "out", CutoutConfig("white"), CutoutConfig("red")
    predict(everything, [tmp_path / "in"], out, kinds=["mask"], cutouts=red)
    predict(everything, [tmp_path / "in"], out, kinds=["rgba"], cutouts=white)
    predict(everything, [tmp_path / "in"], out, kinds=["overlay"])
    assert sorted(path.name for path in out.glob("*.png")) == ["a.mask.png", "a.overlay.png", "a.rgba.png"]
    for other in (red, CutoutConfig(), CutoutConfig("white", crop=True)):
        with pytest.raises(ValueError, match=r"other settings \(cutouts\.(background|crop) differ\)"):
            predict(everything, [tmp_path / "in"], out, kinds=["rgba"], cutouts=other)


def test_another_number_format_is_another_setting(tmp_path):
    photo(tmp_path / "in" / "a.png")
    model = segmenter(tiny_backbone("sd1"), 9.0)
    predict(model, [tmp_path / "in"], tmp_path / "out")
    model.to(dtype=torch.bfloat16)
    with pytest.raises(ValueError, match=r"other settings \(model\.dtype differ\)"):
        predict(model, [tmp_path / "in"], tmp_path / "out")


def test_a_set_below_the_inputs_is_not_searched_and_what_matches_nothing_is_named(everything, tmp_path):
    photo(tmp_path / "in" / "a.png")
    photo(tmp_path / "in" / "set" / "preview.png")
    write_shard(tmp_path / "in" / "set", 0, [], {})
    write_manifest(tmp_path / "in" / "set", {})
    for inputs in ([tmp_path / "in"], [tmp_path / "in", tmp_path / "in" / "a.png"]):
        assert predict(everything, inputs, tmp_path / "out").images == 1
    with pytest.raises(ValueError, match=r"no file in .*in matches --include \*\.bmp, \*\.gif"):
        predict(everything, [tmp_path / "in"], tmp_path / "out", include=["*.bmp", "*.gif"])


def test_saliency_that_is_no_number_is_an_error_of_its_photograph(backbone, tmp_path):
    photo(tmp_path / "in" / "a.png")
    summary = predict(segmenter(backbone, float("nan")), [tmp_path / "in"], tmp_path / "out")
    assert summary.errors[0][0] == "a.png"
    assert "no number" in summary.errors[0][1]


def test_a_name_too_long_for_its_outputs_is_one_error_of_many(everything, tmp_path):
    photo(tmp_path / "in" / "a.png")
    photo(tmp_path / "in" / f"{'n' * 245}.png")
    (tmp_path / "in" / f"{'m' * 245}.jpg").write_text("no picture")
    out = tmp_path / "out"
    summary = predict(everything, [tmp_path / "in"], out)
    assert (summary.predicted, len(summary.errors)) == (1, 2)
    assert "too long" in dict(summary.errors)[f"{'n' * 245}.png"]
    assert sorted(p.name for p in out.glob("*.png")) == ["a.mask.png", "a.saliency.png"]
    assert predict(everything, [tmp_path / "in"], out).skipped == 1


def test_earlier_outputs_below_the_inputs_are_no_inputs(everything, tmp_path):
    photo(tmp_path / "in" / "a.png")
    predict(everything, [tmp_path / "in"], tmp_path / "in" / "first")
    summary = predict(everything, [tmp_path / "in"], tmp_path / "in" / "second")
    assert (summary.images, summary.predicted) == (1, 1)
    # Asked for by name they are: somebody may want the cut-out of a cut-out.
    assert predict(everything, [tmp_path / "in" / "first"], tmp_path / "third").predicted == 2
