"""Every format holds exactly the masks it was made of, read by pycocotools, Pillow and this package's own readers."""

import contextlib
import io
import json
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from pycocotools.coco import COCO

from diffusionseg.data import find_pairs, open_dataset, read_boxes
from diffusionseg.data.grey import read_grey, voc_palette
from diffusionseg.data.mask_codings import object_pixels
from diffusionseg.evaluation import evaluate_coco
from diffusionseg.exports import ExportConfig, export
from diffusionseg.masks import decode_brush
from pycoco import decoded


def coco(path):
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def coco_masks(path):
    """Mask of 0, 128 (crowd) and 255 of every image, by pycocotools."""
    read, found = coco(path), {}
    for image in read.dataset["images"]:
        mask = np.zeros((image["height"], image["width"]), np.uint8)
        for note in read.imgToAnns[image["id"]]:
            mask[decoded(read.annToRLE(note))] = 128 if note["iscrowd"] else 255
        found[image["file_name"]] = mask
    return found


def assert_equal(found, truth):
    assert found.keys() == truth.keys()
    for name, mask in truth.items():
        assert np.array_equal(found[name], mask), name


@pytest.mark.parametrize("polygons", [False, True])
@pytest.mark.parametrize("parts", [False, True])
def test_coco_holds_masks_ignored_pixels_and_scores(predictions, shards, tmp_path, polygons, parts):
    config = ExportConfig("coco", polygons=polygons, parts=parts)
    for number, (source, truth) in enumerate(((shards[0], shards[1]), (predictions[0], predictions[2]))):
        summary = export(source, tmp_path / str(number), config)
        path = tmp_path / str(number) / "annotations" / "instances_default.json"
        assert_equal(coco_masks(path), truth)
        data = json.loads(path.read_text())
        assert summary.images == len(data["images"]) == len(truth)
        assert summary.objects == sum(not note["iscrowd"] for note in data["annotations"])
        assert len({note["id"] for note in data["annotations"]}) == len(data["annotations"])
        assert [c["name"] for c in data["categories"]] == list(summary.classes)
        read = coco(path)
        for note in data["annotations"]:
            mask = decoded(read.annToRLE(note))
            x, y, w, h = (int(v) for v in note["bbox"])
            assert note["area"] == mask.sum() == mask[y : y + h, x : x + w].sum()
            assert mask[y].any() & mask[y + h - 1].any() & mask[:, x].any() & mask[:, x + w - 1].any()
    # The box of the part at the corner was predicted, those of the others were not.
    scores = [note.get("score") for note in data["annotations"] if note["image_id"] == 1]
    assert scores.count(0.9) == 1
    assert (len(scores) > 3) == (scores.count(None) > 2) == parts


def test_coco_is_read_by_our_own_readers(shards, tmp_path):
    export(shards[0], tmp_path / "coco", ExportConfig("coco", photographs="copy"))
    dataset = open_dataset(tmp_path / "coco")
    assert not dataset.boxes.faults
    assert [entry.image for entry in dataset.boxes.boxes] == list(shards[1])
    assert {o.name for entry in dataset.boxes.boxes for o in entry.objects} == {"goldfish", "school bus"}
    assert all(path.is_file() for path in dataset.boxes.images.values())


def test_results_evaluate_as_the_predictions_do(predictions, shards, tmp_path):
    from pycocotools.cocoeval import COCOeval

    export(predictions[0], tmp_path / "coco", ExportConfig("coco", parts=True))
    instances = tmp_path / "coco" / "annotations" / "instances_default.json"
    # Another order of images, and ids that are not those of the export.
    data = json.loads(instances.read_text())
    for entry in (*data["images"], *data["annotations"]):
        key = "id" if "file_name" in entry else "image_id"
        entry[key] = 1000 - entry[key]
    data["images"].reverse()
    (tmp_path / "instances.json").write_text(json.dumps(data))
    export(predictions[0], tmp_path / "plain", ExportConfig("coco-results"))
    export(predictions[0], tmp_path / "ids", ExportConfig("coco-results", instances=tmp_path / "instances.json"))
    for truth, results in ((instances, "plain"), (tmp_path / "instances.json", "ids")):
        with contextlib.redirect_stdout(io.StringIO()):
            read = COCO(str(truth))
            for kind in ("bbox", "segm"):
                evaluation = COCOeval(read, read.loadRes(str(tmp_path / results / "results.json")), kind)
                evaluation.params.useCats = 0
                evaluation.evaluate()
                evaluation.accumulate()
                evaluation.summarize()
                values = evaluate_coco(predictions[0], truth)
                # Small parts that no box was predicted for make it less than 1.
                assert 0 < evaluation.stats[0] < 1
                assert kind == "segm" or evaluation.stats[0] == values["ap"]
    # Categories are those of the file, by name, and 1 where it has none of that name.
    data["categories"] = [{"id": 7, "name": "cat"}, {"id": 18, "name": "dog"}]
    (tmp_path / "classes.json").write_text(json.dumps(data))
    for name, number in (("dog", 18), ("zebra", 1)):
        config = ExportConfig("coco-results", instances=tmp_path / "classes.json", class_name=name)
        export(predictions[0], tmp_path / name, config)
        results = json.loads((tmp_path / name / "results.json").read_text())
        assert {result["category_id"] for result in results} == {number}
    data["categories"] = [{"id": "18", "name": "dog"}]
    (tmp_path / "classes.json").write_text(json.dumps(data))
    with pytest.raises(
        ValueError, match=r"classes.json: `categories` must be a list of objects with id, a whole number"
    ):
        export(predictions[0], tmp_path / "no", ExportConfig("coco-results", instances=tmp_path / "classes.json"))
    with pytest.raises(ValueError, match="coco-results is for predictions"):
        export(shards[0], tmp_path / "no", ExportConfig("coco-results"))


def test_voc_is_read_by_our_own_reader_and_pillow(predictions, shards, tmp_path):
    summary = export(shards[0], tmp_path / "voc", ExportConfig("voc", parts=True, val=0.5))
    assert summary.classes == ("school bus", "goldfish")
    dataset = open_dataset(tmp_path / "voc")
    assert not dataset.boxes.faults
    assert not dataset.masks.faults
    assert dataset.masks.masks.keys() == {Path(name).stem for name in shards[1]}
    lists = [(tmp_path / "voc" / "ImageSets" / "Main" / f"{n}.txt").read_text().split() for n in ("train", "val")]
    assert sorted([*lists[0], *lists[1]]) == sorted(dataset.masks.masks)
    for entry in dataset.boxes.boxes:
        stem, truth = Path(entry.image).stem, shards[1][entry.image]
        with Image.open(dataset.masks.masks[stem]) as picture:
            labels, palette = np.asarray(picture), np.array(picture.getpalette()).reshape(-1, 3)
        assert np.array_equal(palette, voc_palette())
        number = 1 + summary.classes.index(entry.objects[0].name)
        assert np.array_equal(labels, np.select([truth == 255, truth == 128], [number, 255], 0))
        with Image.open(tmp_path / "voc" / "SegmentationObject" / f"{stem}.png") as picture:
            objects = np.asarray(picture)
        assert np.array_equal(objects == 255, truth == 128)
        for n, found in enumerate(entry.objects, 1):
            rows, columns = np.nonzero(objects == n)
            assert found.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert (tmp_path / "voc" / "labelmap.txt").read_text().splitlines()[2:] == [
        "school bus:128,0,0::",
        "goldfish:0,128,0::",
        "ignored:224,224,192::",
    ]
    export(predictions[0], tmp_path / "flat", ExportConfig("voc"))
    assert {p.name for p in (tmp_path / "flat" / "JPEGImages").iterdir()} == {
        "animals-cat.jpg",
        "animals-dog.png",
        "käfer_1.jpg",
        "none.jpg",
    }
    assert len(read_boxes(tmp_path / "flat")) == 4


def test_yolo_drawn_as_its_readers_do(predictions, shards, tmp_path):
    for number, (source, masks) in enumerate(((shards[0], shards[1]), (predictions[0], predictions[2]))):
        out = tmp_path / str(number)
        export(source, out, ExportConfig("yolo", val=0.4))
        found = {}
        for path in (out / "labels").rglob("*.txt"):
            part, *inner = path.relative_to(out / "labels").with_suffix("").parts
            (photo,) = (out / "images" / part).glob("/".join(inner) + ".*")
            with Image.open(photo) as image:
                size = image.size
            canvas = Image.new("L", size)
            for line in path.read_text().splitlines():
                values = line.split()[1:]
                assert len(values) >= 6
                corners = np.array(values, np.float32).reshape(-1, 2)
                assert corners.max() < 1
                whole = (corners * size).astype(np.int32)
                assert np.array_equal(whole, np.rint(corners * size))
                ImageDraw.Draw(canvas).polygon([tuple(c) for c in whole.tolist()], 255)
            found["/".join(inner) + photo.suffix] = np.asarray(canvas)
        assert_equal(found, {name: np.where(mask == 255, 255, 0) for name, mask in masks.items()})
    text = (tmp_path / "0" / "data.yaml").read_text()
    assert text == 'train: images/train\nval: images/val\nnames:\n  0: "school bus"\n  1: "goldfish"\n'


def test_cvat_archive_holds_coloured_masks(predictions, shards, tmp_path):
    for number, (source, masks) in enumerate(((shards[0], shards[1]), (predictions[0], predictions[2]))):
        summary = export(source, tmp_path / str(number), ExportConfig("cvat", parts=True))
        with zipfile.ZipFile(tmp_path / str(number) / "masks.zip") as archive:
            assert archive.testzip() is None
            lines = archive.read("labelmap.txt").decode().splitlines()[1:]
            colours = {line.split(":")[0]: tuple(map(int, line.split(":")[1].split(","))) for line in lines}
            listed = archive.read("ImageSets/Segmentation/default.txt").decode().splitlines()
            names = [name.strip('"') for name in listed]
            assert all((" " in name) == name.startswith('"') for name in listed)
            found, objects = {}, 0
            for name, stem in zip(masks, names, strict=True):
                pixels = np.asarray(Image.open(io.BytesIO(archive.read(f"SegmentationClass/{stem}.png"))))
                kinds = {tuple(c) for c in np.unique(pixels.reshape(-1, 3), axis=0).tolist()}
                assert kinds <= set(colours.values())
                found[name] = np.where((pixels != colours["background"]).any(axis=-1), 255, 0)
                pixels = np.asarray(Image.open(io.BytesIO(archive.read(f"SegmentationObject/{stem}.png"))))
                objects += len(np.unique(pixels.reshape(-1, 3), axis=0)) - 1
        assert list(colours) == ["background", *summary.classes]
        assert objects == summary.objects
        assert_equal(found, {name: np.where(mask == 255, 255, 0) for name, mask in masks.items()})


def test_label_studio_tasks(predictions, tmp_path):
    export(predictions[0], tmp_path / "tasks", ExportConfig("label-studio", class_name="animal", url="https://here/"))
    tasks = json.loads((tmp_path / "tasks" / "tasks.json").read_text())
    assert [task["data"]["image"] for task in tasks][1:3] == [
        "https://here/animals/dog.png",
        "https://here/k%C3%A4fer%201.jpg",
    ]
    found = {}
    for name, task in zip(predictions[2], tasks, strict=True):
        found[name] = np.zeros(predictions[2][name].shape, np.uint8)
        for region in task["predictions"][0]["result"]:
            size = region["original_height"], region["original_width"]
            found[name][decode_brush(region["value"]["rle"], *size)] = 255
            assert region["value"]["brushlabels"] == ["animal"]
            assert region["score"] == task["predictions"][0]["score"] == 0.9
    assert_equal(found, predictions[2])
    view = ET.fromstring((tmp_path / "tasks" / "config.xml").read_text())
    brush = view.find("BrushLabels")
    assert (brush.get("name"), brush.get("toName")) == (region["from_name"], region["to_name"])
    assert [label.get("value") for label in brush] == ["animal"]


def test_images_are_a_data_set_that_can_be_exported_again(predictions, shards, tmp_path):
    for number, (source, truth) in enumerate(((shards[0], shards[1]), (predictions[0], predictions[2]))):
        first, second = tmp_path / f"{number}a", tmp_path / f"{number}b"
        export(source, first, ExportConfig("images"))
        pairs = find_pairs(first)
        assert len(pairs) == len(truth)
        for pair in pairs:
            (name,) = (n for n in truth if Path(n).with_suffix("").as_posix() == pair.stem)
            assert np.array_equal(read_grey(pair.mask).values, truth[name])
        summary = export(first, second, ExportConfig("coco", class_name="thing"))
        assert summary.classes == ("thing",)
        assert_equal(coco_masks(second / "annotations" / "instances_default.json"), truth)


def test_void_of_voc_stays_ignored(shards, tmp_path):
    export(shards[0], tmp_path / "voc", ExportConfig("voc"))
    export(tmp_path / "voc", tmp_path / "coco", ExportConfig("coco"))
    assert_equal(coco_masks(tmp_path / "coco" / "annotations" / "instances_default.json"), shards[1])
    path = next((tmp_path / "voc" / "SegmentationClass").glob("*.png"))
    assert np.array_equal(object_pixels(read_grey(path), "background"), shards[1][f"{path.stem}.jpg"] == 255)
