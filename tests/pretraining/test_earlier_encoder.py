"""A run aligns a generator with the encoder that an earlier one has trained."""

import dataclasses
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from diffusionseg.pretraining import pretrain, read_judged_photos, read_photos
from diffusionseg.status import folder_status

CPU = torch.device("cpu")

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_run_takes_the_encoder_of_an_earlier_one(folder, captioned, one_step, tmp_path):
    photos = read_photos([folder], 32)

    def go(name, config=one_step, **given):
        pretrain(photos, photos.names, {}, tmp_path / name, config, device=CPU, **given)
        return json.loads((tmp_path / name / "pretrain.json").read_text())

    trained = go("trained", captioned=captioned)
    # Another order of steps draws another encoder.
    other = go("other", dataclasses.replace(one_step, seed=6), captioned=captioned)
    taken = go("taken", captioned=captioned, encoder_from=tmp_path / "trained")
    first, second = (load_file(tmp_path / name / "checkpoint.safetensors") for name in ("trained", "taken"))
    assert [name for name, value in first.items() if not torch.equal(value, second[name])] == []
    assert trained["captioned"] == other["captioned"]
    assert ("encoder" in taken, "encoder_from" in trained) == (False, False)
    told = taken["encoder_from"]
    assert len(told.pop("sha256")) == 64
    assert told == {"captioned": trained["captioned"], "encoder": trained["encoder"], "seed": 5, "side": 32}
    assert folder_status(str(tmp_path / "taken")).finished
    for name, given in (("trained", {"encoder_from": tmp_path / "other"}), ("taken", {})):
        with pytest.raises(ValueError, match=r"another run \(encoder(_from)? differ"):
            go(name, captioned=captioned, **given)
    with pytest.raises(ValueError, match=r"another run \(encoder_from differ\)"):
        go("taken", captioned=captioned, encoder_from=tmp_path / "other")
    # The first run is no longer needed, and the encoder can be taken from here as well.
    shutil.rmtree(tmp_path / "trained")
    (tmp_path / "taken" / "checkpoint.safetensors").unlink()
    go("taken", captioned=captioned, encoder_from=tmp_path / "trained")
    third = load_file(tmp_path / "taken" / "checkpoint.safetensors")
    assert [name for name, value in first.items() if not torch.equal(value, third[name])] == []
    assert go("again", captioned=captioned, encoder_from=tmp_path / "taken" / "encoder")["encoder_from"]["seed"] == 5


def test_an_encoder_that_cannot_be_taken_is_named_before_anything_is_made(
    folder, annotated, captioned, one_step, tmp_path
):
    photos = read_photos([folder], 32)

    def refused(message, **given):
        with pytest.raises(ValueError, match=message):
            pretrain(photos, photos.names, {}, tmp_path / "run", one_step, device=CPU, **given)
        assert not (tmp_path / "run" / "pretrain.json").exists()

    refused("--encoder-from: features are aligned with it on --captioned", encoder_from=tmp_path)
    refused(
        "--encoder-from .*none: no .*none/encoder/checkpoint.safetensors",
        captioned=captioned,
        encoder_from=tmp_path / "none",
    )
    pretrain(photos, photos.names, {}, tmp_path / "first", one_step, device=CPU, captioned=captioned)
    judged = read_judged_photos(annotated, photos, captioned=captioned)
    fewer = dataclasses.replace(captioned, images=captioned.images[:40], labels=captioned.labels[:40])
    given = {"encoder_from": tmp_path / "first", "judged": judged}
    refused("those that judge may be among them", captioned=fewer, **given)
    # With the same photographs nothing but their size is in the way.
    with pytest.raises(ValueError, match="--judge reads attention layers of 196 to 1024 positions"):
        pretrain(photos, photos.names, {}, tmp_path / "run", one_step, device=CPU, captioned=captioned, **given)
