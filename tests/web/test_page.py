"""The page without a browser: its addresses, what it keeps, and all of Gradio that stays closed."""

import gc
import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio")
from starlette.testclient import TestClient

from diffusionseg.data import StoredPairs
from diffusionseg.demo import photographs
from diffusionseg.masks import decode_rle
from diffusionseg.synthesis import draw
from diffusionseg.web import ServeConfig
from diffusionseg.web.app import create_app
from diffusionseg.web.body import Refused
from diffusionseg.web.page.evaluate import _evaluated
from diffusionseg.web.page.held import Held, explained, folders_below
from diffusionseg.web.page.held_photo import safe_name
from diffusionseg.web.page.held_set import EXPORTS, HeldSet
from diffusionseg.web.page.shelf import Shelf

# Gradio makes event loops that it does not close.
pytestmark = pytest.mark.filterwarnings("default::ResourceWarning", "default::pytest.PytestUnraisableExceptionWarning")
RAW = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def client(client_of):
    with client_of(page=True, max_upload=300_000) as client:
        yield client


@pytest.fixture(scope="module")
def photo():
    buffer = io.BytesIO()
    with Image.open(photographs()[1]) as picture:
        picture.resize((120, 90)).save(buffer, "PNG")
    return buffer.getvalue()


def test_the_page_is_served_and_asks_for_nothing_elsewhere(client):
    page = client.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    sources = [part.split('"')[0] for part in page.text.split('src="')[1:]]
    assert sources
    assert not [source for source in sources if "//" in source]
    assert "googleapis" not in page.text + client.get("/theme.css").text
    assert client.get("/config").json()["analytics_enabled"] is False


def test_without_a_generator_the_page_says_how_to_draw(models):
    app = create_app({"bright": models["bright"]}, ServeConfig())
    gc.collect()
    with TestClient(app, base_url="http://localhost") as client:
        told = client.get("/config").text
    assert "--weights mini" in told
    assert "Synthesise" in told


def test_the_api_answers_for_itself_beside_the_page(client):
    assert client.get("/api/health").json()["status"] == "ok"
    wrong = client.get("/api/predict")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert client.get("/api/nothing").json() == {"detail": "Not Found"}


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=http://example.org/x",
        "/gradio_api/file/etc/passwd",
        "/gradio_api/proxy=http://example.org/x",
        "/gradio_api/stream/a/b/c/playlist.m3u8",
        "/gradio_api/deep_link?session_hash=a",
        "/gradio_api/info",
        "/gradio_api/run-history/buckets",
        "/gradio_api/vibe-code/",
        "/monitoring",
        "/?deep_link=..%2f..%2fetc",
        "/config?deep_link=x",
        "/static/../../../../etc/passwd",
        "/assets/..%2f..%2f..%2fpackage.json",
        "/docs",
    ],
)
def test_what_the_page_does_not_need_of_gradio_is_closed(client, path):
    assert client.get(path).status_code == 404


def test_a_browser_may_not_name_files_to_gradio(client):
    assert client.post("/gradio_api/upload", files={"files": b"x"}).status_code == 404
    assert client.post("/gradio_api/component_server", json={}).status_code == 404
    assert client.post("/gradio_api/api/predict", json={}).status_code == 404
    join = {"data": [], "fn_index": 0, "session_hash": "a"}
    for value in ({"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, [[{"url": "http://example.org"}]]):
        assert client.post("/gradio_api/queue/join", json={**join, "data": [value]}).status_code == 404
    assert client.post("/gradio_api/queue/join", content=b"[" * 100_000).status_code == 404


def test_files_of_a_photograph_are_those_of_the_api(client, photo):
    kept = client.post("/page/photos?name=..%2F..%2Fmy%20cat!.jpg", content=photo, headers=RAW)
    address = f"/page/photos/{kept.json()['key']}"
    for query in ("", "?threshold=0.3&refine=none&multiple=true", "?model=other&refine=guided"):
        wanted = client.post(f"/api/predict{query}{'&' if query else '?'}type=rgba", content=photo, headers=RAW)
        found = client.get(f"{address}/rgba.png{query}")
        assert found.content == wanted.content
        assert found.headers["content-disposition"] == 'attachment; filename="my-cat.rgba.png"'
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"{address}/zip").content))
    assert "my-cat.overlay.png" in archive.namelist()
    assert json.loads(archive.read("my-cat.json"))["width"] == 120
    with Image.open(io.BytesIO(client.get(f"{address}/cutout.png?background=green").content)) as green:
        assert green.mode == "RGB"
    for wrong, status in (("passwd", 404), ("cutout.png?background=/etc", 422), ("rgba.png?threshold=2", 422)):
        assert client.get(f"{address}/{wrong}").status_code == status
    assert client.get("/page/photos/x/rgba.png").status_code == 404
    for what in ("pairs", "coco", "../coco"):
        assert client.get(f"/page/sets/x/{what}.zip").status_code == 404
    assert client.get("/page/reports/x/report.html").status_code == 404


def test_what_cannot_be_read_is_refused_as_by_the_api(client):
    for content, status, word in (
        (b"", 400, "zero bytes"),
        (b"text" * 99, 400, "text"),
        (bytes(300_001), 413, "300000"),
    ):
        answer = client.post("/page/photos", content=content, headers=RAW)
        assert answer.status_code == status
        assert word in answer.json()["detail"]


def test_names_keep_what_is_harmless():
    assert safe_name("C:\\photos\\Grüße & more.JPG") == "Gr-e-more"
    assert safe_name("../../etc/passwd") == "passwd"
    assert safe_name('\0\n"') == "photograph"
    assert len(safe_name("x" * 1000)) == 60


def test_a_shelf_forgets_what_was_not_used(monkeypatch):
    shelf = Shelf("thing", 3, 10, len)
    one, two = shelf.put("1"), shelf.put("2")
    shelf.get(one)
    shelf.put("3")
    shelf.put("4")
    assert shelf.get(one) == "1"
    with pytest.raises(Refused, match="no longer kept"):
        shelf.get(two)
    large = shelf.put("x" * 100)
    assert shelf.get(large) == "x" * 100
    with pytest.raises(Refused, match="thing"):
        shelf.get(one)
    with pytest.raises(Refused):
        shelf.get({"not": "a key"})


def test_a_set_is_cut_again_without_being_drawn_again_and_exported(models, synthesis, tmp_path):
    names = ("cat", "dog")
    one = HeldSet(synthesis, 3, models["tiny"], names)
    for place in range(2):
        one.add(draw(models["tiny"].segmenter.backbone, names, place, 3, 0, synthesis))
    usual = one.usual_pair(one.drawings[0])
    assert np.array_equal(one.pairs[0].mask, usual.mask)
    cutting = one.cutting
    one.cut_again(type(cutting)(0.0, 1.0, "cut", cutting.readings[:1], cutting.blocks[:1]))
    assert one.pairs[0].energy["pairwise"] == 0
    along_colours = one.pairs[0].mask
    one.cut_again(type(cutting)(0.0, 1.0, "guided", cutting.readings[:1], cutting.blocks[:1]))
    assert not np.array_equal(one.pairs[0].mask, along_colours)
    before = one.pairs
    with pytest.raises(Refused, match="at least one"):
        one.cut_again(type(cutting)(1.0, 1.0, "cut", (), cutting.blocks))
    with pytest.raises(Refused, match="smoothness"):
        one.cut_again(type(cutting)(float("nan"), 1.0, "cut", cutting.readings, cutting.blocks))
    assert one.pairs is before
    one.kept[0] = False
    with zipfile.ZipFile(io.BytesIO(one.export())) as archive:
        archive.extractall(tmp_path)
    ((image, mask),) = StoredPairs([tmp_path])
    assert image.shape == (64, 64, 3)
    assert np.array_equal(mask, one.pairs[1].mask)
    assert json.loads((tmp_path / "shard-000000.json").read_text())["empty_places"] == [0]
    for format in EXPORTS:
        # Nobody learns where it was made.
        assert b"diffusionseg-set-" not in one.export(format)
    with zipfile.ZipFile(io.BytesIO(one.export("coco"))) as archive:
        instances = json.loads(archive.read("annotations/instances_default.json"))
        assert set(archive.namelist()) == {"annotations/instances_default.json", "images/000000001.jpg"}
    assert [category["name"] for category in instances["categories"]] == ["cat", "dog"]
    (found,) = [one for one in instances["annotations"] if not one["iscrowd"]]
    assert found["category_id"] == 2
    assert np.array_equal(decode_rle(found["segmentation"]), mask == 255)
    one.kept[1] = False
    with pytest.raises(Refused, match="no image is kept"):
        one.export()


def test_only_folders_below_those_allowed_can_be_evaluated(models, synthesis, tmp_path):
    for name in ("allowed/pred", "allowed/masks", "allowed/.hidden", "secret"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "allowed" / "way-out").symlink_to(tmp_path / "secret")
    root = tmp_path / "allowed"
    assert set(folders_below((root,))) == {"allowed", "allowed/pred", "allowed/masks"}
    mask = np.zeros((20, 30), np.uint8)
    mask[5:15, 5:15] = 255
    Image.fromarray(mask).save(root / "masks" / "a.png")
    held = Held(models, ServeConfig(allow=(root,)), synthesis, None)
    chosen = (held, lambda *_: None, "allowed/pred", "allowed/masks", ["tokencut"], "", False)
    with pytest.raises(ValueError, match="missing") as missing:
        _evaluated(*chosen, False)
    assert "a" in explained(missing.value)
    assert json.loads(_evaluated(*chosen, True).files["results.json"])["iou"] == 0
    Image.fromarray(mask).save(root / "pred" / "a.mask.png")
    report = _evaluated(*chosen, False)
    assert json.loads(report.files["results.json"])["iou"] == 1
    assert report.files["report.html"].startswith(b"<!doctype html>")
    for wrong in ("/etc", "../secret", "allowed/../secret", "allowed/way-out", None):
        with pytest.raises(Refused, match="Choose a folder"):
            _evaluated(held, lambda *_: None, wrong, "allowed/masks", ["tokencut"], "", False, False)
    held.close()
