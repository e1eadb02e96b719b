"""Every kind of picture is read right, every kind of damage is named."""

import numpy as np
import pytest
from bad_files import bad_files, good_files, photo, png_header
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from diffusionseg.data import ImageError, find_images, output_stems, read_image


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    assert len(good_files(folder)) == 12
    return folder


def pixels(image):
    return np.asarray(image).astype(int)


def test_good_files_are_rgb(good):
    for path in sorted(good.iterdir()):
        image = read_image(path)
        assert image.mode == "RGB", path.name
        assert image.size == ((48, 60) if path.name == "rotated.jpg" else (60, 48)), path.name


def test_orientation_is_applied(good):
    expected = photo().transpose(Image.Transpose.ROTATE_270)
    assert np.abs(pixels(read_image(good / "rotated.jpg")) - pixels(expected)).mean() < 6


def test_transparency_is_laid_on_white(good):
    image = pixels(read_image(good / "alpha.png"))
    assert (image[0] >= 250).all()
    assert np.abs(image[-1] - pixels(photo())[-1]).max() <= 3


def test_sixteen_bits_keep_their_levels(good):
    assert np.array_equal(pixels(read_image(good / "grey16.png"))[..., 0], pixels(photo().convert("L")))


def test_cmyk_and_palette_keep_their_colours(good):
    assert np.array_equal(pixels(read_image(good / "palette.png")), pixels(photo().quantize(16).convert("RGB")))
    for name, tolerance in (("cmyk.jpg", 6), ("photo.tiff", 0), ("photo.webp", 12)):
        assert np.abs(pixels(read_image(good / name)) - pixels(photo())).mean() <= tolerance, name


def test_bad_files_are_named_with_a_reason(tmp_path):
    names = bad_files(tmp_path / "bad")
    assert len(names) == 12
    for name in names:
        with pytest.raises(ImageError, match=name) as caught:
            read_image(tmp_path / "bad" / name)
        assert caught.value.path.endswith(name)
        assert len(caught.value.reason) > 5


@pytest.mark.parametrize(
    ("name", "reason"),
    [("empty.png", "zero bytes"), ("bomb.png", "pixels"), ("strip.png", "too small"), ("notes.txt", "not an image")],
)
def test_reasons_say_what_is_wrong(tmp_path, name, reason):
    bad_files(tmp_path / "bad")
    with pytest.raises(ImageError, match=reason):
        read_image(tmp_path / "bad" / name)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ImageError, match="No such file"):
        read_image(tmp_path / "nothing.jpg")
    with pytest.raises(ImageError, match="directory"):
        read_image(tmp_path)


def test_bomb_is_refused_from_its_header_and_pillow_is_left_as_it_was():
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    with pytest.raises(ImageError):
        read_image(png_header(9000, 9000), max_pixels=1_000_000)
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES) == before


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_bytes_give_a_picture_or_a_named_error(data, good):
    source = data.draw(st.sampled_from(sorted(p.name for p in good.iterdir())))
    content = bytearray((good / source).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    try:
        image = read_image(bytes(content[:cut]), name="damaged", max_pixels=1_000_000)
    except ImageError as error:
        assert str(error).startswith("damaged: ")
    else:
        assert image.mode == "RGB"


def test_every_visible_file_is_an_input(tmp_path):
    for name in ("b.jpg", "a.png", "notes.txt", ".hidden.jpg", "Thumbs.db", "sub/c.jpg", ".git/x.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = find_images([tmp_path])
    assert [f.relative.as_posix() for f in found] == ["a.png", "b.jpg", "notes.txt", "sub/c.jpg"]
    assert [f.relative.as_posix() for f in find_images([tmp_path], include=["*.jpg"])] == ["b.jpg", "sub/c.jpg"]


def test_missing_input_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere: no such"):
        find_images([tmp_path / "nowhere"])


def test_outputs_of_equal_stems_do_not_overwrite_each_other(tmp_path):
    for name in ("a.jpg", "a.png", "A.gif", "b.jpg"):
        (tmp_path / name).write_bytes(b"")
    stems = output_stems(find_images([tmp_path]))
    names = [s.as_posix().lower() for s in stems.values()]
    assert len(set(names)) == 4
    assert "b" in names
