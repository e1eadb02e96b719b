"""What tests of several rooms share; keeps every test off the network."""

import os

# Tests run side by side; two torch processes with two threads each on two cores would slow each other down tenfold.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import functools
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from diffusionseg.demo import photographs

# The helpers beside this file are imported by name.
sys.path.insert(0, str(Path(__file__).parent))
import forked_cli

os.environ["HF_HUB_OFFLINE"] = "1"


LONGEST = ("test_docs.py", "test_full_size.py")
"""Files that take minutes; they begin, or one process would wait for the other in the end."""


def pytest_collection_modifyitems(items):
    """Order tests for processes that take one file's after another's."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(scope="session")
def cli():
    """Run `diffusionseg ARGUMENTS` in a folder, in a process of its own; returns it finished, with text output."""

    def run(arguments, cwd):
        return forked_cli.run(
            shlex.split(arguments) if isinstance(arguments, str) else [str(a) for a in arguments], cwd
        )

    return run


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A folder with photographs and masks under the names that help and documentation use."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copy(photographs()[0], folder / "photo.jpg")
    for number, photo in enumerate(photographs()):
        place = Path(("animals", "things")[number % 2], photo.name)
        for images in ("photos", "ecssd/images"):
            (folder / images / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(photo, folder / images / place)
        with Image.open(photo) as image:
            mask = np.zeros((image.height, image.width), np.uint8)
        mask[10:100, 10:100] = 255
        truth = folder / "ecssd" / "masks" / place.with_suffix(".png")
        truth.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(truth)
    return folder


@pytest.fixture(scope="session")
def documented(cli, home):
    """Run a documented command in `home`, once however many tests ask for it; returns the finished process."""
    return functools.cache(lambda command: cli(command.removeprefix("diffusionseg "), home))


@pytest.fixture
def one_thread():
    """Torch on one thread, as bit-for-bit comparisons need it, for the length of a test."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub without a network: a folder of what was uploaded for each repository, from which it is fetched, too."""
    import huggingface_hub

    place = tmp_path / "hub"

    class Api:
        def __init__(self, token=None):
            pass

        def create_repo(self, repo_id, **options):
            return huggingface_hub.RepoUrl(f"https://huggingface.co/{repo_id}")

        def upload_folder(self, repo_id, folder_path, **options):
            shutil.copytree(folder_path, place / repo_id)

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda repo_id, **options: str(place / repo_id))
    return place
