"""Photographs, annotated ones and a configuration so small that a run takes a second or two."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from diffusionseg.pretraining import GeneratorConfig, JudgeConfig, PretrainConfig
from diffusionseg.recognition import EncoderConfig
from stripes import striped_photos


@pytest.fixture(scope="session")
def config():
    return PretrainConfig(
        image_size=32,
        steps=6,
        batch_size=4,
        autoencoder_steps=3,
        save_every=3,
        warmup=2,
        generator=GeneratorConfig(sample_size=8, channels=(32, 64), text_width=64, text_layers=1),
    )


@pytest.fixture(scope="session")
def short(config):
    """The same with one step of everything."""
    return dataclasses.replace(config, steps=1, autoencoder_steps=1)


@pytest.fixture(scope="session")
def judge_config():
    """Judging within the sizes of `config`."""
    return JudgeConfig(timesteps=(500,), noises=2, min_tokens=64, buckets=2, batch_size=4)


@pytest.fixture(scope="session")
def write_photos():
    """Write photographs of noise, four of each of two classes, to sub-folders of a folder; returns it."""

    def write(directory):
        rng = np.random.default_rng(0)
        for name in ("red square", "blue square"):
            (directory / name).mkdir(parents=True)
            for i in range(4):
                pixels = rng.integers(0, 255, (40, 48, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(directory / name / f"{i}.png")
        return directory

    return write


@pytest.fixture
def folder(tmp_path, write_photos):
    """Photographs of two classes in sub-folders, one of them damaged."""
    photos = write_photos(tmp_path / "photos")
    (photos / "red square" / "broken.png").write_bytes(b"\x89PNG nothing")
    return photos


@pytest.fixture(scope="session")
def write_annotated():
    """Write boxes.jsonl and photographs of noise, each given as (file, (width, height), [(name, box), …])."""

    def write(directory, lines):
        rng = np.random.default_rng(1)
        written = []
        for file, (width, height), objects in lines:
            (directory / file).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8)).save(directory / file)
            found = [{"name": name, "difficult": 0, "box": box} for name, box in objects]
            image = file.removeprefix("images/")
            written.append({"image": image, "width": width, "height": height, "objects": found})
        (directory / "boxes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in written))
        return directory

    return write


@pytest.fixture
def annotated(tmp_path, write_annotated):
    """Five annotated photographs in images/, three of them of classes in `folder`."""
    return write_annotated(
        tmp_path / "annotated",
        [
            ("images/a.png", (40, 48), [("red square", [4, 6, 24, 30])]),
            ("images/b.png", (32, 32), [("horse", [0, 0, 10, 10])]),
            ("images/c.png", (64, 32), [("blue square", [0, 0, 8, 8]), ("horse", [0, 0, 64, 32])]),
            ("images/d.png", (32, 32), []),
            ("images/e.png", (32, 32), [("red square", [0, 0, 31, 31]), ("blue square", [0, 0, 4, 4])]),
        ],
    )


@pytest.fixture(scope="session")
def captioned():
    """Stripes of 32 pixels."""
    some = striped_photos()
    return dataclasses.replace(some, images=some.images.repeat(2, 1).repeat(2, 2))


@pytest.fixture
def one_step(short):
    encoder = EncoderConfig(steps=3, batch_size=16, fewest=5)
    return dataclasses.replace(short, aligned_batch_size=8, aligned_below=3, encoder=encoder, seed=5)
