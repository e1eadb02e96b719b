"""A student of discs, what it was trained on, and photographs."""

import io

import pytest
import torch
from PIL import Image

from diffusionseg.data import Sample, write_shard
from diffusionseg.distillation import distill
from diffusionseg.student import Student
from discs import disc_pair
from small_student import SETTINGS


@pytest.fixture(scope="session")
def pairs():
    return [disc_pair(seed, 40) for seed in range(15)]


@pytest.fixture(scope="session")
def folder(pairs, tmp_path_factory):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("student")
    distill(pairs, out, config=SETTINGS)
    torch.set_num_threads(threads)
    return out


@pytest.fixture(scope="session")
def student(folder):
    return Student.from_pretrained(folder)


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Discs that no training saw, as files of several sizes, and one that is damaged."""
    place = tmp_path_factory.mktemp("photos")
    for seed in range(6):
        Image.fromarray(disc_pair(100 + seed, 48 + 7 * seed)[0]).save(place / f"{seed}.png")
    (place / "5.png").write_bytes((place / "5.png").read_bytes()[:200])
    return place


@pytest.fixture(scope="session")
def stored(pairs, tmp_path_factory):
    """The pairs as a set in a folder."""
    place = tmp_path_factory.mktemp("pairs")
    samples = [Sample(n, {"jpg": png(image), "mask.png": png(mask)}, {}) for n, (image, mask) in enumerate(pairs)]
    write_shard(place, 0, samples, {})
    return place


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
