"""POST /api/predict: the bytes of the command line, and a reason for everything it refuses."""

import io
import json
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import picture_zoo
from bright import Bright
from diffusionseg.data import read_image
from diffusionseg.demo import photographs
from diffusionseg.masks import saliency_picture
from diffusionseg.prediction import PICTURES, predict_folder

RAW = {"Content-Type": "application/octet-stream"}


def png(picture):
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def post(client, content, query="", **headers):
    return client.post(f"/api/predict{query}", content=content, headers={**RAW, **headers})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two photographs that are quick to cut."""
    folder = tmp_path_factory.mktemp("photos")
    for path in photographs()[:2]:
        with Image.open(path) as photo:
            photo.resize((150, 100)).save(folder / path.name)
    return folder


@pytest.fixture(scope="module")
def photos(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def written(segmenter, folder, tmp_path_factory):
    """What the command line writes of them, each alone in its U-Net call."""
    out = tmp_path_factory.mktemp("written")
    predict_folder(segmenter, [folder], out, kinds=PICTURES, batch_size=1)
    return out


def test_many_clients_at_once_get_the_bytes_that_predict_writes(client, photos, written):
    wanted = [(name, kind) for name in photos for kind in PICTURES]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda one: post(client, photos[one[0]], f"?type={one[1]}"), wanted))
    for (name, kind), answer in zip(wanted, answers, strict=True):
        assert answer.headers["content-type"] == "image/png"
        assert answer.content == (written / f"{name.removesuffix('.jpg')}.{kind}.png").read_bytes(), (name, kind)


def test_json_and_zip_say_the_same_as_predictions_jsonl(client, photos, written):
    lines = (written / "predictions.jsonl").read_text().splitlines()
    record = {r["image"]: r for r in map(json.loads, lines)}["cat.jpg"]
    answer = post(client, photos["cat.jpg"])
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() | {"seconds": 0} == {
        **{key: record[key] for key in ("width", "height", "boxes", "scores")},
        "seconds": 0,
        "model": "tiny",
    }
    answer = post(client, photos["cat.jpg"], Accept="application/zip, */*;q=0.1")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert json.loads(archive.read("photograph.json"))["boxes"] == record["boxes"]
    assert archive.read("photograph.rgba.png") == (written / "cat.rgba.png").read_bytes()
    assert len(archive.namelist()) == 1 + len(PICTURES)


def test_a_form_or_the_bare_photograph_and_the_header_accept(client, photos, written):
    form = client.post("/api/predict?type=mask", files={"image": ("../../etc/passwd", photos["cat.jpg"])})
    bare = post(client, photos["cat.jpg"], Accept="image/png", **{"Content-Type": "image/jpeg"})
    assert form.content == bare.content == (written / "cat.mask.png").read_bytes()


def test_settings_and_model_are_the_clients(client, photos):
    query = "?type=mask&refine=none&threshold=0.4&multiple=true&flip=false"
    assert (
        post(client, photos["cat.jpg"], query).content
        == post(client, photos["cat.jpg"], "?type=mask&model=other").content
    )
    assert post(client, photos["cat.jpg"], query).content != post(client, photos["cat.jpg"], "?type=mask").content


def test_views_are_averaged_as_asked_for(client, photos, models):
    model = models["bright"].segmenter
    image = read_image(photos["cat.jpg"])
    config = replace(model.predict_config, margins=(0.0, 0.3))
    expected = saliency_picture(model.predict(image, config=config)[0].saliency)
    answer = post(client, photos["cat.jpg"], "?model=bright&type=saliency&margin=0&margin=0.3")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(answer.content))), np.asarray(expected))
    for wrong in ("margin=1", "margin=-1", "margin=x", "&".join(["margin=0"] * 5)):
        assert post(client, photos["cat.jpg"], f"?model=bright&{wrong}").status_code == 422


def test_a_model_without_a_generator_predicts_as_well(client, folder, photos, models, tmp_path):
    predict_folder(models["bright"].segmenter, [folder], tmp_path, kinds=["mask"])
    for name, content in photos.items():
        answer = post(client, content, "?model=bright&type=mask")
        assert answer.content == (tmp_path / f"{name.removesuffix('.jpg')}.mask.png").read_bytes()
    (told,) = (one for one in client.get("/api/models").json()["models"] if one["name"] == "bright")
    assert told == {"name": "bright", "fingerprint": Bright.fingerprint}


def test_a_photograph_that_lies_on_its_side_is_turned_once(client, tmp_path):
    picture_zoo.good_files(tmp_path)
    upright = post(client, (tmp_path / "photo.tiff").read_bytes()).json()
    assert (upright["width"], upright["height"]) == (picture_zoo.WIDTH, picture_zoo.HEIGHT)
    turned = post(client, (tmp_path / "turned.jpg").read_bytes()).json()
    assert (turned["width"], turned["height"]) == (picture_zoo.WIDTH, picture_zoo.HEIGHT)


def test_what_is_no_photograph_is_refused_with_a_reason(client, tmp_path):
    bad = picture_zoo.bad_files(tmp_path) | picture_zoo.more_bad_files(tmp_path)
    for name, word in bad.items():
        answer = post(client, (tmp_path / name).read_bytes())
        assert answer.status_code == 400, name
        reason = answer.json()["detail"]
        assert word in reason, (name, reason)
        assert str(tmp_path) not in reason


@pytest.mark.parametrize(
    ("query", "content", "headers", "status", "word"),
    [
        ("", b"", {}, 400, "zero bytes"),
        ("", bytes(300_001), {}, 413, "300000 bytes"),
        ("", b"x", {"Content-Type": "text/plain"}, 415, "octet-stream"),
        ("", b"x", {"Content-Type": "application/json"}, 415, "octet-stream"),
        ("", b"x", {"Content-Encoding": "gzip"}, 415, "Content-Encoding"),
        ("", b"x", {"Content-Type": "multipart/form-data"}, 400, "boundary"),
        ("", b"x", {"Content-Type": "multipart/form-data; boundary=a"}, 400, "form"),
        ("?model=../../etc/passwd", b"x", {}, 404, "tiny, other"),
        ("?model=https://example.org/model", b"x", {}, 404, "tiny, other"),
        ("?threshold=nan", b"x", {}, 422, "threshold"),
        ("?threshold=1", b"x", {}, 422, "threshold"),
        ("?refine=magic", b"x", {}, 422, "refine"),
        ("?prior=-1", b"x", {}, 422, "prior"),
        ("?type=exe", b"x", {}, 422, "type"),
    ],
)
def test_wrong_requests_are_refused_with_a_reason(client, query, content, headers, status, word):
    answer = post(client, content, query, **headers)
    assert answer.status_code == status
    assert word in answer.json()["detail"]


def test_a_form_without_the_file_or_with_more_is_refused(client):
    for files in ({"photo": b"x"}, [("image", b"x"), ("image", b"y")]):
        answer = client.post("/api/predict", files=files)
        assert answer.status_code == 400
        assert "'image'" in answer.json()["detail"]
    answer = client.post("/api/predict", data={"image": "/etc/passwd"})
    assert answer.status_code == 415


def test_a_body_that_does_not_say_its_length_ends_at_the_limit(client):
    answer = client.post("/api/predict", content=(bytes(10_000) for _ in range(100)), headers=RAW)
    assert answer.status_code == 413


def test_a_full_queue_says_when_to_come_again_and_a_slow_answer_is_given_up(client_of, models, monkeypatch):
    begun, may_end = threading.Event(), threading.Event()
    small = png(Image.new("RGB", (32, 32)))
    with client_of(queue=1, timeout=1.5) as client, ThreadPoolExecutor(1) as pool:
        real = models["tiny"].segmenter.saliency

        def slow(*arguments):
            begun.set()
            assert may_end.wait(30)
            return real(*arguments)

        monkeypatch.setattr(models["tiny"].segmenter, "saliency", slow)
        first = pool.submit(post, client, small)
        assert begun.wait(30)
        second = post(client, small)
        assert second.status_code == 503
        assert int(second.headers["retry-after"]) > 0
        assert first.result().status_code == 504
        may_end.set()
        monkeypatch.undo()
        deadline = time.monotonic() + 30
        while post(client, small).status_code != 200:
            assert time.monotonic() < deadline


def test_a_photograph_of_too_many_pixels_is_refused(client_of):
    large = png(Image.new("L", (1001, 1000)))
    with client_of(max_pixels=1_000_000) as client:
        answer = post(client, large)
    assert answer.status_code == 400
    assert "1000000" in answer.json()["detail"]
