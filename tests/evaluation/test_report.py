"""The report of an evaluation: one page without outside resources, tables, results and records that agree."""

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from diffusionseg.evaluation.report import (
    FILES,
    Measure,
    ResultRow,
    latex_tables,
    markdown_tables,
    report_boxes,
    report_saliency,
)
from diffusionseg.evaluation.report.gallery import best_median_worst, spread

STRANGE = 'sub/<b>&"x'
IMAGES = 10
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Fails on tags that do not match; collects pictures, loaded addresses and the cells of table rows."""

    def __init__(self, path):
        super().__init__()
        self.open, self.pictures, self.loaded, self.rows, self.text = [], [], [], [], []
        self.feed(path.read_text())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        assert tag not in ("script", "link", "iframe", "object")
        self.loaded += [values[name] for name in ("src", "href", "srcset", "data") if name in values]
        if tag == "img":
            self.pictures.append(values)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            assert "url(" not in data
            assert "@import" not in data
        elif {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data
        self.text.append(data)


@pytest.fixture
def folders(tmp_path):
    """Photographs, masks with objects of several sizes and predictions; one name is strange, one image larger."""
    rng = np.random.default_rng(2)
    for name in ("images", "masks", "pred"):
        (tmp_path / name / "sub").mkdir(parents=True)
    for number in range(IMAGES):
        height, width = (60, 80) if number else (400, 300)
        y, x = np.mgrid[:height, :width]
        centre = (0, 0) if number % 3 == 0 else (height // 2, width // 2)
        truth = np.maximum(abs(y - centre[0]) / height, abs(x - centre[1]) / width) < 0.05 * (number + 1)
        stem = STRANGE if number == 4 else f"{number}"
        levels = np.clip(255 * truth + rng.normal(0, 20 * number + 20, truth.shape), 0, 255).astype(np.uint8)
        Image.fromarray(truth).save(tmp_path / "masks" / f"{stem}.png")
        Image.fromarray(levels).save(tmp_path / "pred" / f"{stem}.saliency.png")
        photograph = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        photograph.save(tmp_path / "images" / f"{stem}.jpg")
    return tmp_path


def made(folders, name="report", masks="", **options):
    values = report_saliency(
        folders / "pred", folders / masks, folders / name, protocols=["tokencut", "found"], intervals=True, **options
    )
    return values, folders / name, Page(folders / name / "report.html")


def test_the_page_is_whole_and_loads_nothing(folders):
    _, out, page = made(folders, measures=["all"], against=folders / "pred")
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert page.loaded
    assert all(address.startswith("data:image/") for address in page.loaded)
    assert all(picture["alt"].strip() for picture in page.pictures)
    # Three figures, and photograph, ground truth, saliency and mask of every image, each shown once.
    assert len(page.pictures) == 3 + 4 * IMAGES
    assert f"photograph of {STRANGE}" in [picture["alt"] for picture in page.pictures]
    assert STRANGE in page.text
    assert "<b>&" not in (out / "report.html").read_text()
    for picture in page.pictures:
        kind, content = re.fullmatch(r"data:image/(.+);base64,(.+)", picture["src"]).groups()
        (out.parent / "picture").write_bytes(base64.b64decode(content))
        if kind != "svg+xml":
            with Image.open(out.parent / "picture") as image:
                assert max(image.size) <= 240


def test_numbers_of_the_page_are_those_of_the_results(folders):
    values, out, page = made(folders, measures=["mae", "e", "s"])
    assert json.loads((out / "results.json").read_text()) == values
    assert values["schema"] == 1
    for protocol, numbers in values["protocols"].items():
        ends = numbers["intervals"]
        cells = [f"{numbers[n]:.4f} [{ends[n][0]:.4f}, {ends[n][1]:.4f}]" for n in ("acc", "iou", "max_f")]
        assert [protocol, *cells] in page.rows
        assert f"| pred | {protocol} | {' | '.join(cells)} |" in (out / "table.md").read_text()
    for name, title in (("mae", "MAE"), ("e_mean", "e_mean"), ("s_measure", "s_measure")):
        row = next(row for row in page.rows if row[0] == title)
        assert row[1] == "pysod"
        assert row[2].startswith(f"{values['measures'][name]:.4f}")
    for kind in ("share", "border"):
        for group in values["breakdown"][kind]:
            assert [group["group"], str(group["images"]), f"{group['iou']:.4f}"] in [row[:3] for row in page.rows]


def test_groups_make_up_the_whole_and_records_are_told(folders):
    values, out, _ = made(folders)
    records = [json.loads(line) for line in (out / "images.jsonl").read_text().splitlines()]
    assert [record["protocol"] for record in records] == ["tokencut"] * IMAGES
    assert {record["stem"] for record in records} > {STRANGE}
    for kind, number in (("share", 4), ("border", 2)):
        groups = values["breakdown"][kind]
        assert len(groups) == number
        assert sum(group["images"] for group in groups) == IMAGES
        for measure, name in (("iou", "iou"), ("acc", "acc"), ("f", "max_f")):
            total = sum(group[measure] * group["images"] for group in groups)
            assert total / IMAGES == pytest.approx(values[name], abs=1e-9)
    small = [record["iou"] for record in records if record["share"] < 0.05]
    assert values["breakdown"]["share"][0]["iou"] == pytest.approx(np.mean(small))


def test_twice_the_same_bytes_and_only_reports_are_written_over(folders):
    _, out, _ = made(folders)
    before = {name: (out / name).read_bytes() for name in FILES}
    made(folders)
    assert {name: (out / name).read_bytes() for name in FILES} == before
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"holds notes\.txt, no report of eval; .*--overwrite"):
        made(folders)
    made(folders, overwrite=True)
    assert (out / "notes.txt").read_text() == "mine"
    (folders / "other").mkdir()
    (folders / "other" / "results.json").write_text("mine")
    with pytest.raises(ValueError, match="holds files of the same names"):
        made(folders, "other")
    with pytest.raises(ValueError, match="is no folder"):
        made(folders, "other/results.json")


def test_photographs_are_found_named_or_missed(folders):
    def photographs(page):
        return sum(picture["alt"].startswith("photograph") for picture in page.pictures)

    _, _, without = made(folders, "without", masks="masks")
    assert photographs(without) == 0
    assert any("give their folder with --images" in text for text in without.text)
    assert len(without.pictures) == 3 + 3 * IMAGES
    (folders / "images" / "1.jpg").write_bytes(b"no picture")
    _, _, named = made(folders, "named", masks="masks", images=folders / "images")
    assert photographs(named) == IMAGES - 1
    assert any("; photograph " in text for text in named.text)
    with pytest.raises(ValueError, match=r"--images .*nowhere: no such folder"):
        made(folders, "nowhere", images=folders / "nowhere")


@pytest.mark.parametrize("protocol", ["unioncut", "selfmask"])
def test_protocols_without_a_common_threshold_say_so(folders, protocol):
    values = report_saliency(folders / "pred", folders, folders / "report", protocol=protocol)
    text = " ".join(Page(folders / "report" / "report.html").text)
    assert ("one point instead of curves" if protocol == "unioncut" else "lies above this curve") in text
    groups = values["breakdown"]["border"]
    assert sum(g["f"] * g["images"] for g in groups) / IMAGES == pytest.approx(values["max_f"], abs=1e-9)


def test_boxes_have_a_report_with_hits_and_misses(folders):
    with (folders / "boxes.jsonl").open("w") as truth, (folders / "pred" / "predictions.jsonl").open("w") as found:
        for number in [n for n in range(IMAGES) if n != 4]:
            image = {"image": f"{number}.jpg"}
            objects = [{"name": "cat", "box": [10, 10, 10 + 5 * number + 5, 50]}]
            truth.write(json.dumps({**image, "width": 80, "height": 60, "objects": objects}) + "\n")
            found.write(json.dumps({**image, "boxes": [[10, 10, 40, 50]] if number < 8 else []}) + "\n")
    values = report_boxes(folders / "pred", folders / "boxes.jsonl", folders / "report", intervals=True)
    page = Page(folders / "report" / "report.html")
    assert json.loads((folders / "report" / "results.json").read_text()) == values
    assert sum(g["corloc"] * g["images"] for g in values["breakdown"]["share"]) / 9 == pytest.approx(values["corloc"])
    assert [
        "lost",
        f"{values['corloc']:.4f} [{', '.join(f'{e:.4f}' for e in values['intervals']['corloc'])}]",
    ] in page.rows
    assert len(page.pictures) == 1 + 9
    assert {"Hits", "Misses"} < set(page.text)


def test_tables_escape_what_their_language_would_take():
    rows = [
        ResultRow("50%_of|a&b", "tokencut", {"iou": Measure(0.5, (0.25, 0.75)), "weighted_f": Measure(1.0)}),
        ResultRow("other", "lost", {"corloc": Measure(0.125)}),
    ]
    latex, markdown = latex_tables(rows, "a\nb"), markdown_tables(rows, "<caption>")
    assert latex.startswith("% a b\n")
    assert r"method & protocol & IoU & weighted\_f \\" in latex
    assert r"50\%\_of|a\&b & tokencut & 0.5000 [0.2500, 0.7500] & 1.0000 \\" in latex
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 2
    assert r"| 50%\_of\|a\&b | tokencut | 0.5000 [0.2500, 0.7500] | 1.0000 |" in markdown
    assert markdown.endswith("\n\n\\<caption\\>\n")


@pytest.mark.parametrize("number", [1, 2, 5, 36, 37, 500])
def test_the_gallery_shows_each_image_once_from_both_ends_and_the_middle(number):
    chosen = best_median_worst(range(number))
    shown = [image for group in chosen.values() for image in group]
    assert len(shown) == len(set(shown)) == min(number, 36)
    assert chosen["best"][0] == 0
    if number > 2:
        assert chosen["worst"][0] == number - 1
        assert number // 2 in chosen["median"]
    assert spread(range(number))[-1] == number - 1
    assert spread([]) == []
