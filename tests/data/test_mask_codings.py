"""Every coding of masks that people have is recognised or refused with its remedy; none is guessed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diffusionseg.data import ImageError
from diffusionseg.data.grey import GreyPicture, read_grey, voc_palette
from diffusionseg.data.mask_codings import CHOICES, coding_of, object_pixels


def grey(*levels: int, sixteen: bool = False) -> GreyPicture:
    """One row of eight pixels that has exactly these levels."""
    return GreyPicture(
        np.resize(np.array(levels, np.uint16 if sixteen else np.uint8), (1, 8)), 65535 if sixteen else 255
    )


def labels(*values: int) -> GreyPicture:
    return GreyPicture(np.resize(np.array(values, np.uint8), (1, 8)), 255, labels=True)


@pytest.mark.parametrize(
    ("picture", "name", "objects"),
    [
        (grey(0, 255), "0/255", [0, 1]),
        (grey(0, 1), "0/1", [0, 1]),
        (grey(0, 128), "0/128", [0, 1]),
        (grey(0, 65535, sixteen=True), "0/65535", [0, 1]),
        (grey(0, 1, sixteen=True), "0/1", [0, 1]),
        (grey(0), "empty, no object", [0, 0]),
        (grey(255), "all object (255)", [1, 1]),
        (grey(1), "all object (1)", [1, 1]),
        (grey(1, 2), "trimap (1 object, 2 background)", [1, 0]),
        (labels(0, 15), "labels of VOC", [0, 1]),
    ],
)
def test_masks_of_two_levels_need_no_choice(picture: GreyPicture, name: str, objects: list[int]) -> None:
    assert coding_of(picture).name == name
    assert object_pixels(picture)[0, :2].tolist() == objects


@pytest.mark.parametrize(
    ("picture", "name", "meant"),
    [
        (
            grey(0, 100, 200, 255),
            "4 grey levels",
            {"object": [0, 1, 1, 1], "half": [0, 0, 1, 1], "background": [0, 0, 0, 1]},
        ),
        (
            grey(0, 40000, 65535, sixteen=True),
            "3 grey levels",
            {"object": [0, 1, 1], "half": [0, 1, 1], "background": [0, 0, 1]},
        ),
        (grey(3, 252, 255), "3 grey levels without a background", {"half": [0, 1, 1], "background": [0, 0, 1]}),
        (grey(0, 15, 255), "3 levels that may be labels of VOC", {"object": [0, 1, 1]}),
        (labels(0, 15, 255), "labels of VOC with void", {"object": [0, 1, 1], "background": [0, 1, 0]}),
        (grey(1, 2, 3), "trimap with border", {"object": [1, 0, 1], "background": [1, 0, 0]}),
    ],
)
def test_what_is_undecided_needs_a_choice(picture: GreyPicture, name: str, meant: dict[str, list[int]]) -> None:
    assert coding_of(picture).name.startswith(name)
    # Where a protocol decides, no mask can be made without one.
    for choice in (None, *CHOICES):
        if choice in meant:
            assert object_pixels(picture, choice)[0, : len(meant[choice])].tolist() == meant[choice]
        else:
            with pytest.raises(
                ValueError, match=f"{name}.*decide with --undecided (protocol or )?{' or '.join(meant)}, or save"
            ):
                object_pixels(picture, choice)
    with pytest.raises(ValueError, match="choose from protocol, object, half, background"):
        object_pixels(picture, "maybe")


def test_a_choice_reaches_pictures_of_a_soft_set_that_have_one_grey_level() -> None:
    # Of a soft set, a picture can have no other level than one of few votes.
    assert not object_pixels(grey(0, 51), "half").any()
    assert not object_pixels(grey(0, 204), "background").any()
    assert object_pixels(grey(0, 1), "half").any()


def test_the_palette_of_voc_begins_as_published() -> None:
    first = [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]]
    assert voc_palette()[:5].tolist() == first
    assert voc_palette()[255].tolist() == [224, 224, 192]


def palette_png(path: Path, values: NDArray[np.uint8], palette: NDArray[np.uint8]) -> Path:
    image = Image.fromarray(values)
    image.putpalette(palette.tobytes())
    image.save(path)
    return path


def test_palettes_are_labels_of_voc_or_grey_or_refused(tmp_path: Path) -> None:
    values = np.resize(np.array([0, 12, 255], np.uint8), (8, 9))
    voc = read_grey(palette_png(tmp_path / "voc.png", values, voc_palette()))
    assert voc.labels
    assert (voc.values == values).all()
    white = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    white[12] = 255
    levels = read_grey(palette_png(tmp_path / "grey.png", values, white))
    assert not levels.labels
    assert coding_of(levels).name == "0/255"
    with pytest.raises(ImageError, match=r"other\.png: has a palette of colours that is not PASCAL VOC's; save"):
        read_grey(palette_png(tmp_path / "other.png", values, voc_palette()[::-1]))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_colour_and_transparency_are_refused(mode: str, tmp_path: Path) -> None:
    image = Image.new(mode, (9, 8), {"RGB": (9, 0, 0), "RGBA": (9, 9, 9, 0), "LA": (9, 0)}[mode])
    image.save(tmp_path / "a.png")
    with pytest.raises(ImageError, match=r"a\.png: is a colour or transparent picture"):
        read_grey(tmp_path / "a.png")


def test_damage_is_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 2, (64, 64)).astype(np.uint8) * 255
    Image.fromarray(noise).save(tmp_path / "a.png")
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[content.index(b"IDAT") + 50] ^= 0xFF
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.png: cannot be read as a mask"):
        read_grey(tmp_path / "a.png")
