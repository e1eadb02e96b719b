"""A check names every mask that could not be scored, and says how the others are coded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffusionseg.data import open_dataset
from diffusionseg.data.check import Findings, check
from diffusionseg.data.grey import voc_palette


def pair(root: Path, stem: str, *levels: int, size: tuple[int, int] = (40, 30)) -> Path:
    """A photograph of 40x30 pixels and its mask of these levels; returns the mask."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30)).save(root / "images" / f"{stem}.jpg")
    path = root / "masks" / f"{stem}.png"
    Image.fromarray(np.resize(np.array(levels or (0, 255), np.uint8), size[::-1])).save(path)
    return path


def look(root: Path, undecided: str | None = None, deep: bool = False) -> tuple[Findings, dict[str, str]]:
    """Findings, and the reason by name of file."""
    found = check(open_dataset(root), undecided=undecided, deep=deep)
    return found, {Path(f.file).name: f.reason for f in found.faults}


def test_nothing_is_found_in_a_good_set(tmp_path: Path) -> None:
    for stem in ("a", "b"):
        pair(tmp_path, stem)
    pair(tmp_path, "c", 0, 1)
    pair(tmp_path, "d", 0)
    found, faults = look(tmp_path, deep=True)
    assert not faults
    assert (found.pairs, found.sizes) == (4, {(40, 30)})
    assert found.codings == {"0/255": 2, "0/1": 1, "empty, no object": 1}
    assert found.notes(open_dataset(tmp_path)) == ["1 masks hold no object (d)"]


@pytest.mark.parametrize(
    ("levels", "reason"),
    [
        ((0, 90, 200, 255), "4 grey levels; decide with --undecided protocol or object or half or background"),
        ((3, 90, 255), "3 grey levels without a background of 0; decide with --undecided half or background"),
        ((0, 15, 255), "3 levels that may be labels of VOC with void (255), or grey; decide with --undecided object"),
        ((1, 2, 3), "trimap with border (1 object, 2 background, 3 border); decide with --undecided object or backgr"),
    ],
)
def test_undecided_masks_are_faults_until_decided(levels: tuple[int, ...], reason: str, tmp_path: Path) -> None:
    pair(tmp_path, "a", *levels)
    _, faults = look(tmp_path)
    assert faults["a.png"].startswith(reason)
    choice = faults["a.png"].split("--undecided ")[1].split()[0].rstrip(",")
    assert not look(tmp_path, choice)[1]


def test_wrong_sizes_and_names_and_files_are_named(tmp_path: Path) -> None:
    pair(tmp_path, "turned", size=(30, 40))
    pair(tmp_path, "small", size=(20, 15))
    pair(tmp_path, "damaged").write_bytes(b"\x89PNG nothing")
    Image.new("RGB", (40, 30), (200, 0, 0)).save(pair(tmp_path, "colour"))
    Image.new("P", (40, 30), 1).save(pair(tmp_path, "palette"))
    (tmp_path / "images" / "text.jpg").write_text("no picture")
    Image.new("L", (40, 30)).save(tmp_path / "masks" / "text.png")
    pair(tmp_path, "a_mask").rename(tmp_path / "masks" / "b_mask.png")
    pair(tmp_path, "lossy").unlink()
    Image.new("L", (40, 30)).save(tmp_path / "masks" / "lossy.jpg")
    found, faults = look(tmp_path)
    assert "turned: is 30x40, its photograph 40x30" in faults["turned.png"]
    assert faults["small.png"].startswith("is 20x15, its photograph 40x30")
    assert "cannot be read" in faults["damaged.png"]
    assert "colour or transparent" in faults["colour.png"]
    assert "has no header of a picture" in faults["text.jpg"]
    assert faults["b_mask"] == "mask without image"
    assert faults["a_mask"] == "image without mask"
    assert faults["lossy"].startswith("mask is a JPEG, which blurs it")
    assert found.pairs == 6


def test_turned_photographs_have_the_size_they_are_seen_in(tmp_path: Path) -> None:
    pair(tmp_path, "a", size=(30, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30)).save(tmp_path / "images" / "a.jpg", exif=exif)
    assert not look(tmp_path, deep=True)[1]


def test_only_deep_decodes_photographs(tmp_path: Path) -> None:
    pair(tmp_path, "a")
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    photograph = tmp_path / "images" / "a.jpg"
    Image.fromarray(noise).save(photograph, quality=95)
    photograph.write_bytes(photograph.read_bytes()[:-500])
    assert not look(tmp_path)[1]
    assert "truncated" in look(tmp_path, deep=True)[1]["a.jpg"]


def test_masks_alone_are_checked_without_their_sizes(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    pair(tmp_path, "a").rename(tmp_path / "mine" / "a.png")
    found, faults = look(tmp_path / "mine")
    assert found.pairs == 1
    assert not faults
    assert "sizes are not compared" in found.notes(open_dataset(tmp_path / "mine"))[0]


def test_a_set_that_is_not_whole_is_noted(tmp_path: Path) -> None:
    pair(tmp_path / "ECSSD", "a")
    found, _ = look(tmp_path / "ECSSD")
    assert found.notes(open_dataset(tmp_path / "ECSSD")) == ["ECSSD as published has 1000 pairs"]


def test_palettes(tmp_path: Path) -> None:
    for stem, palette in (("voc", voc_palette()), ("other", voc_palette()[::-1])):
        path = pair(tmp_path, stem, 0, 5, 255)
        with Image.open(path) as image:
            image.load()
        image.putpalette(palette.tobytes())
        image.save(path)
    _, faults = look(tmp_path)
    assert "labels of VOC with void (255)" in faults["voc.png"]
    assert "has a palette of colours that is not PASCAL VOC's" in faults["other.png"]
