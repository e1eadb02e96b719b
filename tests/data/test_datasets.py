"""Data sets in their native layouts: what is in them, in our boxes and pairs, and what is wrong by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffusionseg.data import LayoutError, ObjectBox, find_masks, open_dataset, read_boxes
from diffusionseg.data.check import check
from diffusionseg.data.grey import voc_palette

OBJECT = "<object><name>{}</name><difficult>{}</difficult><bndbox>{}</bndbox></object>"
SIDES = ("xmin", "ymin", "xmax", "ymax")


def photograph(path: Path, width: int = 40, height: int = 30) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), (9, 99, 200)).save(path)
    return path


def mask(path: Path, *levels: int, width: int = 40, height: int = 30, voc: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.resize(np.array(levels or (0, 255), np.uint8), (height, width)))
    if voc:
        image.putpalette(voc_palette().tobytes())
    image.save(path)
    return path


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def annotation(root: Path, stem: str, *objects: tuple[str, int, tuple[float, ...]], size: str = "40 30") -> None:
    inner = "".join(
        OBJECT.format(name, difficult, "".join(f"<{s}>{v}</{s}>" for s, v in zip(SIDES, box, strict=True)))
        for name, difficult, box in objects
    )
    width, height = size.split()
    sizes = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    write(root / "Annotations" / f"{stem}.xml", f"<annotation>{sizes}{inner}</annotation>")


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    root = tmp_path / "VOCdevkit" / "VOC2007"
    for stem in ("000001", "000002", "000003"):
        photograph(root / "JPEGImages" / f"{stem}.jpg")
        annotation(root, stem, ("dog", 0, (1, 1, 40, 30)), ("cat", 1, (3, 5.5, 10, 20)))
    write(root / "ImageSets" / "Main" / "trainval.txt", "000001", "000003")
    write(root / "ImageSets" / "Main" / "test.txt", "000002  1")
    write(root / "ImageSets" / "Main" / "dog_test.txt", "000002 -1")
    write(root / "ImageSets" / "Segmentation" / "trainval.txt", "000001")
    mask(root / "SegmentationClass" / "000001.png", 0, 12, 255, voc=True)
    mask(root / "SegmentationClass" / "000002.png", 0, 12, voc=True)
    return root


@pytest.mark.parametrize("above", [0, 1, 2])
def test_voc_boxes_become_half_open_and_difficult_ones_are_kept(above: int, voc: Path) -> None:
    root = (voc, *voc.parents)[above]
    boxes = read_boxes(root)
    assert [b.image for b in boxes] == ["000001.jpg", "000003.jpg"]
    # The first covers the picture: 1-based and inclusive in the XML.
    assert boxes[0].objects == (ObjectBox((0, 0, 40, 30), "dog"), ObjectBox((2, 4.5, 10, 20), "cat", True))
    dataset = open_dataset(root)
    assert (dataset.name, dataset.split) == ("VOC2007", "trainval")
    assert dataset.masks is not None
    assert [p.stem for p in dataset.masks.pairs()] == ["000001"]
    test = open_dataset(root, "test")
    assert test.boxes is not None
    assert [b.image for b in test.boxes.boxes] == ["000002.jpg"]
    assert test.masks is None
    assert [stem for stem, _ in find_masks(root)] == ["000001"]
    assert [stem for stem, _ in find_masks(voc / "SegmentationClass")] == ["000001", "000002"]
    with pytest.raises(LayoutError, match=r"dogs\.txt: no such list; --split takes one of test, trainval"):
        open_dataset(root, "dogs")


def test_voc_faults_are_named_and_void_needs_a_choice(voc: Path) -> None:
    annotation(voc, "000003", ("dog", 0, (5, 5, 4, 9)))
    annotation(voc, "000001", ("dog", 0, (1, 1, 60, 30)), size="50 30")
    write(voc / "ImageSets" / "Main" / "trainval.txt", "000001", "000003", "000004")
    found = check(open_dataset(voc))
    reasons = {Path(f.file).name: f.reason for f in found.faults}
    assert "000003.xml cannot be read (the box 5 5 4 9 is empty or incomplete)" in reasons["000003"]
    assert "not in JPEGImages" in reasons["000004"]
    outside = "its box [0.0, 0.0, 60.0, 30.0] lies outside of 50x30; correct the annotation"
    assert outside in [f.reason for f in found.faults]
    assert "is 40x30, its boxes are of 50x30" in " ".join(f.reason for f in found.faults)
    assert "labels of VOC with void (255); decide with --undecided object or background" in reasons["000001.png"]
    assert (found.pairs, found.boxes, found.codings["labels of VOC with void (255)"]) == (1, 1, 1)
    with pytest.raises(LayoutError, match="000004"):
        read_boxes(voc)


@pytest.mark.parametrize(
    "content",
    [
        '<!DOCTYPE a [<!ENTITY x "boom">]><annotation><size>&x;</size></annotation>',
        '<?xml version="1.0" encoding="UTF-16"?><annotation/>',
        "<annotation>",
        "",
    ],
)
def test_xml_that_is_hostile_or_broken_is_a_fault(content: str, voc: Path) -> None:
    encoding = "utf-16" if "UTF-16" in content else "utf-8"
    (voc / "Annotations" / "000001.xml").write_bytes(content.encode(encoding))
    dataset = open_dataset(voc)
    assert dataset.boxes is not None
    assert [b.image for b in dataset.boxes.boxes] == ["000003.jpg"]
    assert "000001.xml" in dataset.boxes.faults[0].reason


def test_two_years_of_voc_are_not_mixed(voc: Path) -> None:
    (voc.parent / "VOC2012" / "Annotations").mkdir(parents=True)
    (voc.parent / "VOC2012" / "JPEGImages").mkdir()
    with pytest.raises(LayoutError, match=r"several sets \(.*VOC2007, .*VOC2012\); name one"):
        read_boxes(voc.parent)


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    names = {9: "COCO_train2014_000000000009.jpg", 25: "COCO_train2014_000000000025.jpg", 30: "x_30.jpg"}
    for name in names.values():
        photograph(tmp_path / "images" / "train2014" / name)
    notes = [
        {"image_id": 9, "bbox": [1.4, 2.6, 10.2, 5], "category_id": 1, "iscrowd": 0},
        {"image_id": 9, "bbox": [0, 0, 40, 30], "category_id": 1, "iscrowd": 1},
        {"image_id": 25, "bbox": [3.1, 3.1, 0.2, 0.2], "category_id": 1},
        {"image_id": 30, "bbox": [0, 0, 0, 9], "category_id": 1},
    ]
    record = {
        "images": [{"id": key, "file_name": name, "width": 40, "height": 30} for key, name in names.items()],
        "annotations": notes,
        "categories": [{"id": 1, "name": "bird"}],
    }
    write(tmp_path / "annotations" / "instances_train2014.json", json.dumps(record))
    write(tmp_path / "annotations" / "instances_val2014.json", "{}")
    return tmp_path


def test_coco20k_is_the_list_that_the_user_has(coco: Path) -> None:
    with pytest.raises(LayoutError, match="several sets"):
        open_dataset(coco)
    write(coco / "coco_20k_filenames.txt", "train2014/COCO_train2014_000000000025.jpg", "9")
    dataset = open_dataset(coco)
    assert (dataset.name, dataset.split) == ("COCO20k", "coco_20k_filenames.txt")
    first, second = read_boxes(coco)
    # Rounded as LOST does; where that leaves nothing, as annotated.
    assert first.objects == (ObjectBox((3.1, 3.1, 3.1 + 0.2, 3.1 + 0.2), "bird"),)
    assert second.objects == (ObjectBox((1, 3, 12, 8), "bird"),)
    assert not check(dataset, deep=True).faults
    whole = read_boxes(coco / "annotations" / "instances_train2014.json")
    assert [len(b.objects) for b in whole] == [1, 1, 0]


def test_coco_faults_are_named(coco: Path) -> None:
    (coco / "images" / "train2014" / "x_30.jpg").unlink()
    listed = write(coco / "mine.txt", "30", "31")
    dataset = open_dataset(coco, str(listed))
    assert dataset.boxes is not None
    assert [(f.file, f.reason) for f in dataset.boxes.faults] == [
        ("31", "listed, but not in instances_train2014.json"),
        ("x_30.jpg", "annotated, but in no folder of photographs"),
    ]
    write(listed, "bird")
    with pytest.raises(LayoutError, match=r"mine\.txt:1: 'bird' is neither an id nor a name ending in one"):
        open_dataset(coco, str(listed))
    with pytest.raises(LayoutError, match="no such file; for COCO --split names a file"):
        open_dataset(coco, "nowhere")
    broken = write(coco / "instances_broken.json", '{"images": []}')
    with pytest.raises(LayoutError, match="not COCO's instances"):
        read_boxes(broken)


@pytest.mark.parametrize("beside", [False, True])
def test_cub(beside: bool, tmp_path: Path) -> None:
    root = tmp_path / "CUB_200_2011"
    names = ["001.Albatross/A_1.jpg", "001.Albatross/A_2.jpg", "002.Auk/B_1.jpg"]
    for name in names:
        photograph(root / "images" / name)
        place = tmp_path if beside else root
        mask((place / "segmentations" / name).with_suffix(".png"), 0, 51, 204, 255)
    write(root / "images.txt", *(f"{n} {name}" for n, name in enumerate(names, 1)))
    write(root / "bounding_boxes.txt", "1 2.0 3.0 20.0 10.0", "2 0.0 0.0 40.0 30.0", "3 5.0 5.0 0.0 9.0")
    write(root / "train_test_split.txt", "1 1", "2 0", "3 0")
    train = open_dataset(tmp_path, "train")
    assert train.boxes is not None
    assert train.boxes.boxes[0].objects == (ObjectBox((2, 3, 22, 13), "001.Albatross"),)
    assert (train.boxes.boxes[0].width, train.boxes.boxes[0].height) == (40, 30)
    assert train.masks is not None
    assert [p.stem for p in train.masks.pairs()] == ["001.Albatross/A_1"]
    whole = open_dataset(root)
    assert whole.boxes is not None
    assert [(f.file, "its box is empty" in f.reason) for f in whole.boxes.faults] == [("002.Auk/B_1.jpg", True)]
    found = check(whole, undecided="half")
    assert (found.pairs, found.boxes, found.codings) == (3, 2, {"4 grey levels": 3})
    assert len(found.faults) == 1
    assert len(check(whole).faults) == 4
    with pytest.raises(LayoutError, match="has train and test"):
        open_dataset(root, "val")
    assert [stem for stem, _ in find_masks(root)] == [str(Path(n).with_suffix("")) for n in names]


def test_pets(tmp_path: Path) -> None:
    for stem in ("Beagle_1", "Beagle_2"):
        photograph(tmp_path / "images" / f"{stem}.jpg")
        mask(tmp_path / "annotations" / "trimaps" / f"{stem}.png", 1, 2, 3)
    write(tmp_path / "images" / "Beagle_1.mat", "")
    write(tmp_path / "annotations" / "trimaps" / "._Beagle_1.png", "")
    write(tmp_path / "annotations" / "test.txt", "Beagle_2 1 2 1")
    dataset = open_dataset(tmp_path)
    assert dataset.name == "Oxford-IIIT Pet"
    assert check(dataset).faults[0].reason.startswith("trimap with border")
    found = check(open_dataset(tmp_path, "test"), undecided="object")
    assert (found.pairs, found.faults) == (1, [])


def test_our_own_form_and_sets_without_boxes(tmp_path: Path) -> None:
    photograph(tmp_path / "images" / "a.jpg")
    entry = {"width": 40, "height": 30, "objects": [{"box": [0, 0, 5, 5]}]}
    write(tmp_path / "boxes.jsonl", *(json.dumps({"image": name, **entry}) for name in ("a.jpg", "b.jpg")))
    dataset = open_dataset(tmp_path)
    assert dataset.boxes is not None
    assert [f.file for f in dataset.boxes.faults] == ["b.jpg"]
    assert len(read_boxes(tmp_path / "boxes.jsonl")) == 2
    with pytest.raises(LayoutError, match="has no lists of parts"):
        open_dataset(tmp_path, "test")
    (tmp_path / "boxes.jsonl").unlink()
    mask(tmp_path / "masks" / "a.png")
    with pytest.raises(LayoutError, match="images and masks has masks and no boxes"):
        read_boxes(tmp_path)
