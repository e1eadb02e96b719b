"""Small sources of every kind, with masks that are hard to hold: holes, parts, single pixels, void."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from diffusionseg.data import Sample, write_manifest, write_shard

SIZES = {"animals/cat.jpg": (40, 30), "animals/dog.png": (25, 37), "käfer 1.jpg": (64, 48), "none.jpg": (20, 20)}
"""Photographs of the predictions: (width, height)."""


def hard_mask(width, height, seed):
    """A ring, a part of its own with a hole, and a scatter of single pixels (H, W) bool."""
    y, x = np.ogrid[:height, :width]
    distance = np.hypot(x - width / 2, y - height / 2) / min(width, height)
    mask = (distance > 0.2) & (distance < 0.45)
    mask |= np.random.default_rng(seed).random((height, width)) < 0.03
    mask[:6, :7] = False
    mask[1:5, 1:6] = True
    mask[2, 2:4] = False
    return mask


@pytest.fixture(scope="session")
def predictions(tmp_path_factory):
    """A folder as predict writes it, its photographs, and the masks (H, W) of 0 and 255 by image."""
    folder = tmp_path_factory.mktemp("sources")
    truth, lines = {}, []
    for number, (name, (width, height)) in enumerate(SIZES.items()):
        photo, out = folder / "photos" / name, folder / "predictions" / name
        for path in (photo, out):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (width, height), (40 * number, 90, 30)).save(photo)
        mask = hard_mask(width, height, number) if name != "none.jpg" else np.zeros((height, width), bool)
        truth[name] = mask * np.uint8(255)
        Image.fromarray(truth[name]).save(out.with_suffix(".mask.png"))
        boxes = [[1, 1, 6, 5], [0, 0, 2, 2]] if mask.any() else []
        record = {"image": name, "source": str(photo), "width": width, "height": height, "boxes": boxes}
        lines.append(json.dumps({**record, "scores": [0.9, 0.25][: len(boxes)]}) + "\n")
    (folder / "predictions" / "predictions.jsonl").write_text("".join(lines))
    return folder / "predictions", folder / "photos", truth


@pytest.fixture(scope="session")
def shards(tmp_path_factory):
    """A set of two shards with two classes, and its masks of 0, 128 and 255 by name."""
    folder = tmp_path_factory.mktemp("set")
    truth, samples = {}, []
    for index in (0, 2, 3, 7):
        mask = np.where(hard_mask(48, 32, index), np.uint8(255), np.uint8(0))
        mask[10:14, 20:30] = 128
        truth[f"{index:09d}.jpg"] = mask
        contents = {
            "jpg": encoded(np.full((32, 48, 3), 60 + index, np.uint8), "JPEG"),
            "mask.png": encoded(mask, "PNG"),
        }
        samples.append(Sample(index, contents, {"class": ("goldfish", "school bus")[index % 2]}))
    write_shard(folder, 0, samples[:2], {})
    write_shard(folder, 1, samples[2:], {})
    write_manifest(folder, {"set": {"classes": ["school bus", "goldfish"]}})
    return folder, truth


def encoded(pixels, kind):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()
