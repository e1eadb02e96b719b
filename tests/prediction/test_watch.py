"""A watched folder: every photograph is predicted once it is whole, and again when it changes."""

import json
import os
import time

import numpy as np
import pytest
from PIL import Image

from bright import Bright
from diffusionseg.prediction import CutoutConfig, prediction_picture, watch_folder
from diffusionseg.prediction.watch import SETTLED


def photo(path, level=255):
    """A bright square in the upper left corner; as old as if it had been copied long ago."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20, :30] = level
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    os.utime(path, (1e9, 1e9))


class Watch:
    """A watch that is ended by hand, and does something before each look."""

    def __init__(self, folder, out, **options):
        self.looks, self.folder, self.out, self.options = 0, folder, out, options

    def run(self, looks, before=lambda look: None):
        def ended():
            self.looks += 1
            before(self.looks)
            return self.looks > looks

        return list(watch_folder(Bright(), self.folder, self.out, ended=ended, **self.options))


def records(out):
    return [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("diffusionseg.prediction.watch.POLL", 0.01)


def test_what_is_there_and_what_comes_is_predicted_each_once(tmp_path):
    photo(tmp_path / "in" / "a.png")

    def come(look):
        if look == 5:
            photo(tmp_path / "in" / "deep" / "b.png")

    summaries = Watch(tmp_path / "in", tmp_path / "out").run(12, come)
    assert [(one.images, one.predicted, one.errors) for one in summaries] == [(1, 1, ()), (2, 2, ())]
    assert [record["image"] for record in records(tmp_path / "out")] == ["a.png", "deep/b.png"]
    assert records(tmp_path / "out")[0]["boxes"] == [[0, 0, 30, 20]]
    # Another watch finds that all is done.
    assert [(one.predicted, one.skipped) for one in Watch(tmp_path / "in", tmp_path / "out").run(4)] == [(0, 2)]


def test_a_file_that_is_being_written_is_left_alone(tmp_path):
    photo(tmp_path / "whole.png")
    content = (tmp_path / "whole.png").read_bytes()
    place = tmp_path / "in" / "a.png"
    place.parent.mkdir()
    file = place.open("wb")
    file.write(content[:60])
    file.flush()
    # It has not been touched for long, yet somebody still has it in hand.
    os.utime(place, (1e9, 1e9))

    def go_on(look):
        if look == 6:
            file.write(content[60:])
            file.close()
            os.utime(place, (1e9, 1e9))

    summaries = Watch(tmp_path / "in", tmp_path / "out").run(12, go_on)
    assert [(one.predicted, one.errors) for one in summaries] == [(1, ())]
    assert len(records(tmp_path / "out")) == 1


def test_a_file_that_changed_just_now_may_change_again(tmp_path):
    photo(tmp_path / "in" / "a.png")
    os.utime(tmp_path / "in" / "a.png")
    begun = time.monotonic()
    watch = Watch(tmp_path / "in", tmp_path / "out")
    assert watch.run(5) == [] or time.monotonic() - begun > SETTLED
    watch.looks = 0
    while not (summaries := watch.run(5)):
        watch.looks = 0
        assert time.monotonic() - begun < 30
    assert time.monotonic() - begun > 0.9 * SETTLED
    assert summaries[0].predicted == 1


def test_what_fails_is_tried_again_when_it_changes_and_others_are_done(tmp_path):
    photo(tmp_path / "in" / "good.png")
    (tmp_path / "in" / "bad.png").write_bytes(b"not yet")
    os.utime(tmp_path / "in" / "bad.png", (1e9, 1e9))

    def mend(look):
        if look == 8:
            photo(tmp_path / "in" / "bad.png", 254)

    summaries = Watch(tmp_path / "in", tmp_path / "out").run(16, mend)
    assert [(one.images, one.predicted, len(one.errors)) for one in summaries] == [(2, 1, 1), (2, 2, 0)]
    assert all("error" not in record for record in records(tmp_path / "out"))


def test_wrong_use_is_named(tmp_path):
    with pytest.raises(ValueError, match="no such folder to watch"):
        next(watch_folder(Bright(), tmp_path / "none", tmp_path / "out"))
    with pytest.raises(ValueError, match=r"--out .* is the folder of the inputs"):
        next(watch_folder(Bright(), tmp_path, tmp_path))
    with pytest.raises(ValueError, match="--type sketch"):
        next(watch_folder(Bright(), tmp_path, tmp_path / "out", kinds=["sketch"]))


def test_cut_outs_have_a_background_and_are_cropped(tmp_path):
    photo(tmp_path / "a.png", 255)
    with Image.open(tmp_path / "a.png") as picture:
        picture = picture.convert("RGB")
    (prediction,) = Bright().predict([np.asarray(picture)])
    plain = prediction_picture("rgba", picture, prediction)
    assert plain.size == (60, 40)
    assert plain.getpixel((50, 35))[3] == 0
    filled = prediction_picture("rgba", picture, prediction, CutoutConfig("#ff8000", crop=True))
    assert filled.size == (30, 20)
    assert filled.getpixel((5, 5)) == (255, 255, 255, 255)
    whole = prediction_picture("rgba", picture, prediction, CutoutConfig("orange"))
    assert whole.getpixel((50, 35)) == (255, 165, 0, 255)
    # Other kinds are measured with, and stay as they are.
    assert prediction_picture("mask", picture, prediction, CutoutConfig("#fff", crop=True)).size == (60, 40)
    (nothing,) = Bright().predict([np.zeros((40, 60, 3), np.uint8)])
    assert prediction_picture("rgba", picture, nothing, CutoutConfig(crop=True)).size == (60, 40)
    with pytest.raises(ValueError, match="--background 'nocolour': not a colour"):
        CutoutConfig("nocolour")


def test_a_call_answers_as_a_pipeline_of_transformers_does(tmp_path):
    photo(tmp_path / "a.png")
    (found,) = Bright()(str(tmp_path / "a.png"))
    assert (found["label"], found["mask"].mode, found["mask"].size) == ("object", "L", (60, 40))
    assert 0.5 < found["score"] <= 1
    assert Bright()([np.zeros((40, 60, 3), np.uint8), tmp_path / "a.png"])[0] == []
