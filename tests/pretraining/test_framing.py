"""How photographs of any shape become training squares."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from diffusionseg.cli.app import application
from diffusionseg.pretraining import read_photos, read_photos_of_sizes
from diffusionseg.pretraining.framing import square, squares

GREEN, RED = (40, 120, 60), (220, 30, 30)


def photograph(width, height, box, ground=GREEN, inner=RED):
    """A box of one colour on another, as an image."""
    pixels = np.full((height, width, 3), ground, np.uint8)
    left, top, right, bottom = box
    pixels[top:bottom, left:right] = inner
    return Image.fromarray(pixels)


def red(picture):
    """Bounding box (left, top, right, bottom) of what is red in an (S, S, 3) array."""
    rows, columns = np.nonzero(picture[..., 0].astype(int) - picture[..., 1] > 60)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def diamond(width, height):
    """A photograph whose object reaches far beyond the centre square but touches no border along a line."""
    y, x = np.mgrid[:height, :width]
    inside = abs(x - width / 2) / (width * 0.45) + abs(y - height / 2) / (height * 0.4) < 1
    return Image.fromarray(np.where(inside[..., None], np.uint8(RED), np.uint8(GREEN)))


def test_a_square_is_the_centre_to_the_pixel():
    picture = Image.new("RGB", (30, 10))
    picture.paste((255, 0, 0), (10, 0, 20, 10))
    assert (square(picture, 10) == [255, 0, 0]).all()


def test_without_zooming_out_a_square_is_the_centre():
    picture = diamond(120, 40)
    (only,) = squares(picture, 32, zoom_out=False)
    assert np.array_equal(only, square(picture, 32))
    left, _, right, _ = red(only)
    assert (left, right) == (0, 32)  # The object is cut off.


def test_zoomed_out_the_whole_object_is_shown_at_two_sizes_on_its_own_ground():
    large, small = squares(diamond(120, 40), 64, zoom_out=True)
    widths = []
    for picture in (large, small):
        left, top, right, bottom = red(picture)
        assert 0 < left < right < 64
        assert 0 < top < bottom < 64
        widths.append(right - left)
        ring = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]]).astype(int)
        assert np.abs(ring - GREEN).max() <= 25  # The ringing of a sharp edge.
    assert widths[0] == pytest.approx(0.9 * 64, abs=4)
    assert widths[1] == pytest.approx(0.75 * widths[0], abs=3)


def test_a_photograph_of_busy_edges_is_cropped():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8))
    (only,) = squares(noise, 32, zoom_out=True)
    assert np.array_equal(only, square(noise, 32))


def test_edges_need_be_calm_only_where_they_are_continued():
    # A wide photograph, busy at left and right, fills the square from side to side: only above and below is continued.
    pixels = np.asarray(photograph(120, 40, (40, 8, 80, 32))).copy()
    pixels[:, [0, 1, -2, -1]] = np.random.default_rng(1).integers(0, 255, (40, 4, 3))
    pixels[:3] = pixels[-3:] = GREEN
    (only,) = squares(Image.fromarray(pixels), 64, zoom_out=True)
    left, _, right, _ = red(only[24:40, 4:-4])
    assert 0 < left < right < 56


@pytest.mark.parametrize("frame", [1, 6, 20])
def test_a_framed_photograph_is_not_taken_for_an_object(frame):
    white = (255, 255, 255)
    picture = photograph(100, 70, (frame, frame, 100 - frame, 70 - frame), ground=white, inner=(90, 90, 120))
    (only,) = squares(picture, 32, zoom_out=True)
    assert np.array_equal(only, square(picture, 32))


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (2, 2), (300, 3)])
def test_pictures_of_few_pixels_and_extreme_shapes(size):
    for zoom_out in (False, True):
        for picture in squares(Image.new("RGB", size, GREEN), 32, zoom_out=zoom_out):
            assert picture.shape == (32, 32, 3)
            assert picture.dtype == np.uint8
            assert np.abs(picture.astype(int) - GREEN).max() == 0


def test_read_photographs_have_a_label_for_each_of_their_squares(folder):
    diamond(120, 48).save(folder / "blue square" / "wide.png")
    cropped = read_photos([folder], 32)
    small, large = read_photos_of_sizes([folder], 32, [40], zoom_out=True)
    assert (len(cropped), len(small), len(large)) == (9, 10, 10)
    for photos in (small, large):
        assert [photos.names[i] for i in photos.labels].count("blue square") == 6
        assert len(photos.images) == len(photos.labels)


def test_a_frame_is_found_in_a_photograph_of_many_pixels():
    picture = photograph(3000, 2000, (300, 200, 2700, 1800), ground=(255, 255, 255), inner=(90, 90, 120))
    (only,) = squares(picture, 32, zoom_out=True)
    assert np.array_equal(only, square(picture, 32))
    assert len(squares(diamond(3000, 1000), 32, zoom_out=True)) == 2


@pytest.mark.slow
def test_zoom_out_shows_calm_photographs_in_two_squares(folder, tmp_path, monkeypatch):
    calm = Image.new("RGB", (64, 32), (40, 120, 60))
    ImageDraw.Draw(calm).ellipse((20, 8, 44, 24), fill=(220, 30, 30))
    calm.save(folder / "red square" / "calm.png")
    (folder / "red square" / "broken.png").unlink()
    for options, number in (([], 9), (["--zoom-out"], 10)):
        command = ["pretrain", str(folder), "--image-size", "32", *options, "--steps", "1", "--autoencoder-steps", "1"]
        out = tmp_path / str(number)
        done = CliRunner().invoke(application(), [*command, "--batch-size", "2", "--device", "cpu", "--out", str(out)])
        assert done.exit_code == 0, done.output
        assert f"{number} training squares" in done.output
