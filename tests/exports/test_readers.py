"""The programs that people read these formats with find the same pixels; each test needs its program installed."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from diffusionseg.exports import ExportConfig, export

pytestmark = [pytest.mark.filterwarnings("ignore")]


def objects_of(truth):
    return {Path(name).with_suffix("").as_posix(): mask == 255 for name, mask in truth.items()}


@pytest.mark.parametrize(
    ("format", "importer"), [("cvat", "voc_segmentation"), ("voc", "voc"), ("coco", "coco_instances")]
)
def test_datumaro_which_is_cvats_reader(shards, tmp_path, format, importer):
    dataset = pytest.importorskip("datumaro.components.dataset").Dataset
    export(shards[0], tmp_path / "out", ExportConfig(format, photographs="copy"))
    if format == "cvat":
        with zipfile.ZipFile(tmp_path / "out" / "masks.zip") as archive:
            archive.extractall(tmp_path / "out")
    read = dataset.import_from(str(tmp_path / "out"), importer)
    labels = [label.name for label in next(iter(read.categories().values()))]
    found, ignored = {}, {}
    for item in read:
        found[item.id], ignored[item.id] = np.zeros((2, 32, 48), bool)
        for mask in (a for a in item.annotations if a.type.name == "mask"):
            void = mask.attributes.get("is_crowd") or labels[mask.label] == "ignored"
            (ignored if void else found)[item.id] |= np.asarray(mask.image, bool)
    truth = objects_of(shards[1])
    assert found.keys() == truth.keys()
    assert all(np.array_equal(found[name], truth[name]) for name in truth)
    if format != "cvat":
        assert all(np.array_equal(ignored[Path(name).stem], mask == 128) for name, mask in shards[1].items())


def test_label_studios_converter(predictions, tmp_path):
    brush = pytest.importorskip("label_studio_converter.brush")
    export(predictions[0], tmp_path / "tasks", ExportConfig("label-studio"))
    tasks = json.loads((tmp_path / "tasks" / "tasks.json").read_text())
    for mask, task in zip(predictions[2].values(), tasks, strict=True):
        results = [{**r, **r["value"]} for r in task["predictions"][0]["result"]]
        found = brush.decode_from_annotation("mask", results).values()
        assert np.array_equal(sum(found, np.zeros_like(mask)), mask)


def test_supervision_reads_yolo(predictions, tmp_path):
    supervision = pytest.importorskip("supervision")
    export(predictions[0], tmp_path / "yolo", ExportConfig("yolo"))
    # It does not enter sub-folders.
    folders = [str(tmp_path / "yolo" / kind / "train") for kind in ("images", "labels")]
    read = supervision.DetectionDataset.from_yolo(*folders, str(tmp_path / "yolo" / "data.yaml"), force_masks=True)
    found = {Path(path).name: found.mask for path, _, found in read}
    assert np.array_equal(found["käfer 1.jpg"].any(axis=0), predictions[2]["käfer 1.jpg"] == 255)


def test_ultralytics_reads_yolo(predictions, tmp_path):
    utils = pytest.importorskip("ultralytics.data.utils")
    export(predictions[0], tmp_path / "yolo", ExportConfig("yolo"))
    assert utils.check_det_dataset(tmp_path / "yolo" / "data.yaml", autodownload=False)["names"] == {0: "object"}
    for name, mask in predictions[2].items():
        image = tmp_path / "yolo" / "images" / "train" / name
        label = tmp_path / "yolo" / "labels" / "train" / Path(name).with_suffix(".txt")
        _, _, shape, segments, *_, faults, message = utils.verify_image_label(
            (str(image), str(label), "", False, 1, 0, 0, False)
        )
        assert (faults, message) == (0, "")
        corners = [(segment * np.array(shape[::-1])).ravel() for segment in segments]
        found = utils.polygons2masks(shape, corners, 1, 1)
        assert np.array_equal(np.any(found, axis=0) if len(found) else np.zeros(shape), mask == 255)


def test_hugging_face_datasets_reads_the_shards(shards, tmp_path):
    datasets = pytest.importorskip("datasets")
    for streaming in (False, True):
        rows = datasets.load_dataset(
            "webdataset",
            data_files={"train": str(shards[0] / "shard-*.tar")},
            split="train",
            streaming=streaming,
            cache_dir=str(tmp_path),
        )
        rows = list(rows)
        assert [row["__key__"] for row in rows] == [Path(name).stem for name in shards[1]]
        for row, mask in zip(rows, shards[1].values(), strict=True):
            assert np.array_equal(np.asarray(row["mask.png"]), mask)
            assert row["jpg"].size == mask.shape[::-1]
            assert row["json"]["class"] in ("goldfish", "school bus")


def test_webdataset_reads_the_shards(shards):
    webdataset = pytest.importorskip("webdataset")
    paths = [str(path) for path in sorted(shards[0].glob("shard-*.tar"))]
    rows = list(webdataset.WebDataset(paths, shardshuffle=False).decode("pil"))
    for row, (name, mask) in zip(rows, shards[1].items(), strict=True):
        assert row["__key__"] == Path(name).stem
        assert np.array_equal(np.asarray(row["mask.png"])[..., 0], mask)
