"""The page as a person meets it, in headless Chromium: every step without a request to another machine."""

import base64
import gc
import io
import json
import re
import shutil
import socket
import threading
import zipfile

import numpy as np
import pytest
from PIL import Image

from diffusionseg.data import StoredPairs
from diffusionseg.demo import photographs
from diffusionseg.web import ServeConfig

pytest.importorskip("gradio")
playwright = pytest.importorskip("playwright.sync_api")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
    # Gradio makes event loops that it does not close.
    pytest.mark.filterwarnings("default::ResourceWarning", "default::pytest.PytestUnraisableExceptionWarning"),
]
DROP = """([name, content]) => {
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name));
  document.querySelector('.drop').dispatchEvent(
    new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}));
}"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    for name in ("pred", "masks"):
        (root / name).mkdir()
        mask = np.zeros((20, 30), np.uint8)
        mask[5:15, 5:15] = 255
        Image.fromarray(mask).save(root / name / "a.png")
    return root


@pytest.fixture(scope="module")
def address(models, synthesis, folders):
    import uvicorn

    from diffusionseg.web.app import create_app

    app = create_app(models, ServeConfig(allow=(folders,)), synthesis=synthesis)
    gc.collect()
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1, ws="none"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def page(address):
    """The page, opened once; what it asked for and complained of is looked at in the end."""
    asked, said = set(), []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(20_000)
        page.on("request", lambda request: asked.add(request.url))
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        # Without it a key may be faster than the order to catch what it opens.
        page.on("filechooser", lambda chooser: None)
        page.goto(address)
        page.wait_for_selector("#drop input")
        yield page
        browser.close()
    assert {url for url in asked if not url.startswith((f"{address}/", "data:", "blob:"))} == set()
    # The file that is no photograph.
    assert [text for text in said if "400" not in text] == []


@pytest.fixture(scope="module")
def photo():
    buffer = io.BytesIO()
    with Image.open(photographs()[1]) as picture:
        picture.resize((120, 90)).save(buffer, "PNG")
    return buffer.getvalue()


def source(page, alt):
    return page.get_attribute(f"img[alt^='{alt}']", "src")


def changed(page, alt, before):
    page.wait_for_function(
        "([alt, before]) => document.querySelector(`img[alt^='${alt}']`)?.src !== before", arg=[alt, before]
    )


def downloaded(page, name):
    with page.expect_download() as download:
        page.get_by_role("link", name=name).click()
    return download.value.path().read_bytes()


def downloaded_by_keyboard(page, selector):
    tab_to(page, selector)
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    return download.value.path().read_bytes()


def tab_to(page, selector, text=""):
    """Press Tab until it leads to an element with this text, which must then show that it has the focus."""
    for _ in range(150):
        page.keyboard.press("Tab")
        if page.evaluate(
            "([selector, text]) => document.activeElement.matches(selector) && "
            "document.activeElement.innerText.includes(text)",
            [selector, text],
        ):
            style = "getComputedStyle(document.activeElement)"
            assert page.evaluate(f"{style}.outlineStyle !== 'none' || {style}.boxShadow !== 'none'"), selector
            return
    pytest.fail(f"Tab does not lead to {selector} {text}")


def assert_it_fits_and_speaks(page):
    """No sideways scrolling at the width of a telephone or a desk, and words for every picture and field."""
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
        for tab in ("Segment", "Synthesise", "Evaluate"):
            page.get_by_role("tab", name=tab).wait_for()
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('img, input:not([type=hidden]), button, iframe')]
          .filter((e) => e.offsetParent && !(e.alt || e.title || e.ariaLabel || e.innerText?.trim() || e.labels?.length
            || e.getAttribute('aria-labelledby') || e.getAttribute('aria-label')))
          .map((e) => e.outerHTML.slice(0, 200))"""
    )
    assert unnamed == []


def test_a_dropped_photograph_is_segmented_and_its_cut_out_downloaded(page, photo, address):
    page.evaluate(DROP, ["my cat.png", base64.b64encode(photo).decode()])
    page.wait_for_selector("#segmented img[alt^='mask of']")
    before = source(page, "mask of")
    tab_to(page, "#threshold input[type=range]")
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
    changed(page, "mask of", before)
    page.wait_for_selector("a[href*='threshold=0.38']")
    wanted = page.request.post(
        f"{address}/api/predict?type=rgba&threshold=0.38",
        data=photo,
        headers={"Content-Type": "application/octet-stream"},
    )
    assert downloaded_by_keyboard(page, "a[href*='rgba.png']") == wanted.body()
    page.get_by_label("green").check()
    page.wait_for_selector("img[alt$='background green']")
    with Image.open(io.BytesIO(downloaded(page, "cut-out on green"))) as cut:
        assert cut.size == (120, 90)
    assert len(zipfile.ZipFile(io.BytesIO(downloaded(page, "everything.zip"))).namelist()) == 5
    assert_it_fits_and_speaks(page)


def test_before_and_after_slide_by_keyboard(page):
    tab_to(page, ".compare input")
    page.keyboard.press("End")
    assert page.evaluate("document.querySelector('.compare').style.getPropertyValue('--at')") == "100%"


def test_a_photograph_is_chosen_by_keyboard(page, photo):
    tab_to(page, "#drop input")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files({"name": "chosen.png", "mimeType": "image/png", "buffer": photo})
    page.wait_for_selector("#segmented img[alt^='mask of chosen']")


def test_a_file_that_cannot_be_read_is_named_and_the_page_goes_on(page, photo):
    files = [
        {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"no photograph <b>at all</b>\n" * 20},
        {"name": "second.png", "mimeType": "image/png", "buffer": photo},
    ]
    page.set_input_files("#drop input", files)
    page.wait_for_selector("[role=alert]")
    assert re.match("notes.jpg: .*text file", page.inner_text("[role=alert]"))
    page.wait_for_selector("img[alt='mask of second'], img[alt^='mask of second']")
    page.get_by_label("1 my-cat").check()
    page.wait_for_selector("img[alt^='mask of my-cat']")


def test_images_are_synthesised_cut_again_chosen_and_exported(page, tmp_path):
    tab_to(page, "[role=tab]", "Synthesise")
    page.keyboard.press("Enter")
    tab_to(page, "#classes :is(input, textarea)")
    page.keyboard.press("Control+A")
    page.keyboard.type("cat, dog")
    tab_to(page, "#begin")
    page.keyboard.press("Enter")
    page.wait_for_selector("#gallery button[data-n='3']", timeout=90_000)
    assert page.locator("#gallery button").count() == 4
    before = source(page, "mask of image 1")
    page.get_by_label("as the attention has it").check()
    changed(page, "mask of image 1", before)
    before = source(page, "mask of image 1")
    facts = page.inner_text(".facts")
    tab_to(page, "#lambda input[type=range]")
    page.keyboard.press("Home")
    page.wait_for_function("(facts) => document.querySelector('.facts').innerText !== facts", arg=facts)
    changed(page, "mask of image 1", before)
    aimed = source(page, "self-attention of image 1")
    page.click("img[alt^='image 1, cat, the chosen']", position={"x": 10, "y": 10})
    changed(page, "self-attention of image 1", aimed)
    crossed = source(page, "cross-attention of image 1")
    page.locator("#timesteps input").nth(3).uncheck()
    changed(page, "cross-attention of image 1", crossed)
    tab_to(page, "#gallery button[data-n='2']")
    page.keyboard.press("Enter")
    page.get_by_role("button", name=re.compile("image 3$")).click()
    page.wait_for_selector("#gallery button[data-n='2'].rejected")
    zipfile.ZipFile(io.BytesIO(downloaded(page, "Export 3 kept pairs"))).extractall(tmp_path)
    assert len(StoredPairs([tmp_path])) == 3
    with zipfile.ZipFile(io.BytesIO(downloaded_by_keyboard(page, "a[href$='coco.zip']"))) as archive:
        instances = json.loads(archive.read("annotations/instances_default.json"))
    assert [category["name"] for category in instances["categories"]] == ["cat", "dog"]
    assert len(instances["images"]) == 3
    assert_it_fits_and_speaks(page)


def test_a_class_that_cannot_be_drawn_is_named(page):
    page.get_by_label("Classes").fill("photo")
    page.click("#begin")
    page.wait_for_selector("[role=alert]:visible")
    assert "'photo'" in page.inner_text("[role=alert]:visible")


def test_allowed_folders_are_evaluated(page, folders):
    page.get_by_role("tab", name="Evaluate").click()
    for name, folder in (("predictions", "pred"), ("masks", "masks")):
        page.click(f"#{name} input")
        page.locator(f"#{name}").get_by_role("option", name=f"{folders.name}/{folder}", exact=True).click()
    page.click("#evaluate")
    page.wait_for_selector("#report iframe")
    frame = page.frame_locator("#report iframe")
    assert "Evaluation of pred on 1 images" in frame.locator("h1").inner_text()
    assert_it_fits_and_speaks(page)
    assert b"report.html" in downloaded(page, "report.zip")
