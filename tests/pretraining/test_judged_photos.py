"""Which annotated photographs judge a generator, and where their boxes then lie."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from diffusionseg.data import ImageError, LayoutError
from diffusionseg.pretraining import JudgeConfig, Photos, read_judged_photos
from diffusionseg.pretraining.framing import square, squares


@pytest.fixture
def photos():
    """Two black photographs of two classes."""
    return Photos(np.zeros((2, 16, 16, 3), np.uint8), np.array([0, 1]), ("blue square", "red square"))


def test_photographs_of_trained_classes_are_read_with_the_boxes_of_their_class(annotated, photos):
    judged = read_judged_photos(annotated, photos)
    assert judged.names == ("red square", "blue square", "red square")
    # 40×48, 64×32 and 32×32 pixels squeezed to 16×16. The horse is not trained on, the last photograph's class is that
    # of its large object.
    assert [np.round(box, 6).tolist() for boxes in judged.boxes for box in boxes] == [
        [1.6, 2.0, 9.6, 10.0],
        [0.0, 0.0, 2.0, 4.0],
        [0.0, 0.0, 15.5, 15.5],
    ]
    assert judged.images.shape == judged.squares.shape == (3, 16, 16, 3)
    assert not judged.trained_on


def test_photographs_may_lie_beside_their_boxes(annotated, photos):
    within = read_judged_photos(annotated, photos)
    for image in (annotated / "images").iterdir():
        image.rename(annotated / image.name)
    (annotated / "images").rmdir()
    beside = read_judged_photos(annotated, photos)
    assert np.array_equal(within.images, beside.images)
    assert within.boxes == beside.boxes


def test_a_limit_spreads_over_the_file(tmp_path, write_annotated, photos):
    lines = [(f"{i}.png", (16, 16), [("red square", [0, 0, 1 + i, 1 + i])]) for i in range(8)]
    folder = write_annotated(tmp_path / "many", lines)
    judged = read_judged_photos(folder, photos, JudgeConfig(limit=4))
    assert [boxes[0][2] for boxes in judged.boxes] == [1, 3, 5, 7]


def test_photographs_that_are_trained_on_do_not_judge(annotated, photos):
    seen = read_judged_photos(annotated, photos).squares
    judged = read_judged_photos(annotated, replace(photos, images=seen[1:2], labels=np.array([0])))
    assert judged.trained_on == ("c.png",)
    assert judged.names == ("red square", "red square")
    with pytest.raises(ValueError, match=r"--judge .*annotated: all of its photographs are trained on \(a\.png, c"):
        read_judged_photos(annotated, replace(photos, images=seen, labels=np.array([1, 0, 1])))


def test_what_cannot_judge_is_named(annotated, photos, tmp_path):
    with pytest.raises(ValueError, match=r"--judge .*nowhere: holds no boxes\.jsonl"):
        read_judged_photos(tmp_path / "nowhere", photos)
    with pytest.raises(ValueError, match=r"--judge .*boxes\.jsonl: none of its classes \(blue square, horse, red squ"):
        read_judged_photos(annotated, replace(photos, names=("cat", "dog")))
    shutil.copy(annotated / "images" / "b.png", annotated / "images" / "a.png")
    with pytest.raises(LayoutError, match=r"boxes\.jsonl: a\.png has 32x32 pixels, not 40x48"):
        read_judged_photos(annotated, photos)
    (annotated / "images" / "a.png").unlink()
    with pytest.raises(ImageError, match=r"a\.png: no such file"):
        read_judged_photos(annotated, photos)


def test_orientation_is_part_of_the_size(tmp_path, write_annotated, photos):
    folder = write_annotated(tmp_path / "turned", [("a.jpg", (20, 30), [("red square", [0, 0, 10, 10])])])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(folder / "a.jpg", exif=exif)
    assert len(read_judged_photos(folder, replace(photos, images=photos.images + 9))) == 1


def test_photographs_that_were_zoomed_out_for_training_do_not_judge_either(tmp_path, write_annotated, photos):
    lines = [
        ("wide.png", (48, 16), [("red square", [20, 4, 28, 12])]),
        ("b.png", (16, 16), [("red square", [0, 0, 8, 8])]),
    ]
    folder = write_annotated(tmp_path / "wide", lines)
    picture = Image.new("RGB", (48, 16), (40, 120, 60))
    ImageDraw.Draw(picture).ellipse((16, 4, 31, 11), fill=(220, 30, 30))  # A rectangle would be taken for a frame.
    picture.save(folder / "wide.png")
    shown = squares(picture, 16, zoom_out=True)
    assert not any(np.array_equal(one, square(picture, 16)) for one in shown)
    for one in shown:
        judged = read_judged_photos(folder, replace(photos, images=one[None], labels=np.array([1])))
        assert judged.trained_on == ("wide.png",)
