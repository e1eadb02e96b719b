"""Good pictures come out as they look; everything else is an ImageError that names the file."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

import picture_zoo
from diffusionseg.data import ImageError, read_image


def test_good_pictures_come_out_upright_on_white_in_rgb(tmp_path: Path) -> None:
    expected = picture_zoo.good_files(tmp_path)
    assert len(expected) == 12
    for name, (shows, error) in expected.items():
        image = read_image(tmp_path / name)
        assert image.mode == "RGB", name
        pixels = np.asarray(image, dtype=float)
        assert pixels.shape == shows.shape, name
        assert np.abs(pixels - shows).mean() <= error, name


def test_rare_formats_are_read_by_a_process_that_has_read_none(tmp_path: Path) -> None:
    picture = Image.fromarray(np.full((16, 16, 3), 200, np.uint8))
    for name in ("a.jpg", "b.tif", "c.webp"):
        picture.save(tmp_path / name)
    code = (
        "import sys\n"
        "from diffusionseg.data import read_image\n"
        "for name in sys.argv[1:]:\n"
        "    print(read_image(name).size, 'PIL.PdfImagePlugin' in sys.modules)\n"
    )
    names = sorted(map(str, tmp_path.iterdir()))
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["(16, 16) False", "(16, 16) True", "(16, 16) True"]


@pytest.mark.parametrize("kind", ["bad_files", "more_bad_files"])
def test_bad_files_are_named_with_their_reason(kind: str, tmp_path: Path) -> None:
    expected = getattr(picture_zoo, kind)(tmp_path)
    assert len(expected) >= 12
    for name, word in expected.items():
        with pytest.raises(ImageError) as caught:
            read_image(tmp_path / name)
        assert caught.value.path == str(tmp_path / name), name
        assert str(caught.value) == f"{tmp_path / name}: {caught.value.reason}", name
        assert word in caught.value.reason, f"{name}: {caught.value.reason}"


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    reasons = {
        tmp_path: "is a folder",
        tmp_path / "missing.jpg": "no such file",
        tmp_path / "gone.jpg": "no such file",
        tmp_path / "loop.jpg": "cannot be opened",
        tmp_path / "pipe.jpg": "not a regular file",
        "a\0b.jpg": "no valid path",
    }
    for path, word in reasons.items():
        with pytest.raises(ImageError, match=word):
            read_image(path)


def test_a_file_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "private.jpg").write_bytes(b"x")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ImageError, match=r"private\.jpg: may not be read"):
        read_image(tmp_path / "private.jpg")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "tiff"])
def test_every_exif_orientation_is_undone(orientation: int, extension: str, tmp_path: Path) -> None:
    shown = picture_zoo.scene()
    back = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(back[orientation](shown)))
    stored.save(tmp_path / f"a.{extension}", exif=exif)
    pixels = np.asarray(read_image(tmp_path / f"a.{extension}"), dtype=float)
    assert pixels.shape == shown.shape
    assert np.abs(pixels - shown).mean() < 10


def test_a_picture_that_was_read_is_not_turned_once_more(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(picture_zoo.scene())
    stored.save(tmp_path / "a.png", exif=exif)
    once = read_image(tmp_path / "a.png")
    assert once.size == stored.size[::-1]
    assert not once.getexif()
    assert np.array_equal(np.asarray(once), np.asarray(read_image(once)))


def test_damaged_exif_does_not_cost_the_picture() -> None:
    buffer = io.BytesIO()
    Image.fromarray(picture_zoo.scene()).save(buffer, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(30))
    assert read_image(buffer.getvalue()).size == (96, 72)


def test_every_kind_of_source_gives_the_same_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(picture_zoo.scene()).save(path)
    with path.open("rb") as file, Image.open(path) as image:
        sources = [path, str(path), path.read_bytes(), file, image, picture_zoo.scene()]
        for source in sources:
            np.testing.assert_array_equal(np.asarray(read_image(source)), picture_zoo.scene())


def test_an_array_may_be_grey_or_have_alpha() -> None:
    grey = picture_zoo.grey_scene()
    np.testing.assert_array_equal(np.asarray(read_image(grey))[..., 2], grey)
    clear = np.zeros((10, 10, 4), dtype=np.uint8)
    assert (np.asarray(read_image(clear)) == 255).all()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((10, 10, 3), dtype=np.float32),
        np.zeros((10, 10, 2), dtype=np.uint8),
        np.zeros(100, dtype=np.uint8),
        np.zeros((0, 10, 3), dtype=np.uint8),
        np.zeros((10, 10, 3, 1), dtype=np.uint8),
    ],
)
def test_an_array_of_another_shape_or_type_is_refused(array: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"^photo: an array"):
        read_image(array, name="photo")


def test_a_source_of_another_type_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="NoneType"):
        read_image(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.full((8, 8), 257, dtype=np.uint16), 1),
        (np.full((8, 8), 65535, dtype=np.uint16), 255),
        (np.full((8, 8), 100, dtype=np.uint16), 0),
        (np.full((8, 8), -5, dtype=np.int32), 0),
        (np.full((8, 8), 0.5, dtype=np.float32), 128),
        (np.full((8, 8), 100.0, dtype=np.float32), 100),
        (np.full((8, 8), np.nan, dtype=np.float32), 0),
        (np.full((8, 8), np.inf, dtype=np.float32), 255),
    ],
)
def test_deep_grey_is_scaled_by_its_type_not_by_its_content(values: np.ndarray, expected: int, tmp_path: Path) -> None:
    Image.fromarray(values).save(tmp_path / "a.tiff")
    assert np.unique(np.asarray(read_image(tmp_path / "a.tiff"))).tolist() == [expected]


def test_max_pixels_is_checked_for_every_source(tmp_path: Path) -> None:
    image = Image.new("RGB", (100, 100))
    image.save(tmp_path / "a.png")
    for source in (tmp_path / "a.png", image, np.asarray(image)):
        assert read_image(source, max_pixels=10_000).size == (100, 100)
        with pytest.raises(ImageError, match="100x100"):
            read_image(source, max_pixels=9_999)


def test_a_bomb_is_refused_without_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(self: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", never)
    for size in (11_000, 60_000):
        with pytest.raises(ImageError, match="pixels"):
            read_image(picture_zoo.png_claiming(size, size))


def test_someone_elses_leniency_is_not_shared_and_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    picture_zoo.bad_files(tmp_path)
    with pytest.raises(ImageError, match="truncated"):
        read_image(tmp_path / "truncated.jpg")
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_threads_leave_no_trace(tmp_path: Path) -> None:
    good, bad = picture_zoo.good_files(tmp_path / "good"), picture_zoo.bad_files(tmp_path / "bad")
    paths = [*(tmp_path / "good" / n for n in good), *(tmp_path / "bad" / n for n in bad)] * 8
    before = list(warnings.filters)
    barrier = threading.Barrier(4)

    def read(some: list[Path]) -> int:
        barrier.wait()
        count = 0
        for path in some:
            try:
                read_image(path)
                count += 1
            except ImageError:
                pass
        return count

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(read, [paths[k::4] for k in range(4)])) == 12 * 8
    assert warnings.filters == before


def test_flipped_bytes_give_a_picture_or_an_image_error(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    outcomes = {"picture": 0, "error": 0}
    for name in picture_zoo.good_files(tmp_path):
        content = np.frombuffer((tmp_path / name).read_bytes(), dtype=np.uint8)
        for _ in range(60):
            damaged = content.copy()
            # Headers are where parsers go wrong: half of the damage goes there.
            reach = len(damaged) if random.random() < 0.5 else min(200, len(damaged))
            damaged[random.integers(0, reach, random.integers(1, 5))] = random.integers(0, 256)
            end = random.integers(1, len(damaged) + 1) if random.random() < 0.2 else len(damaged)
            try:
                assert read_image(damaged[:end].tobytes()).mode == "RGB"
                outcomes["picture"] += 1
            except ImageError:
                outcomes["error"] += 1
    assert min(outcomes.values()) > 50
