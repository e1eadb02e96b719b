"""Benchmark folders are recognised, and what does not fit together is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffusionseg.data import LayoutError, find_masks, find_pairs, recognise


def build(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


@pytest.mark.parametrize(
    ("name", "images", "masks"),
    [
        ("ECSSD", "images", "ground_truth_mask"),
        ("images and masks", "images", "masks"),
        ("img and gt", "img", "gt"),
        ("imgs and gt", "imgs", "gt"),
        ("Image and Mask", "Image", "Mask"),
        ("im and GT", "im", "GT"),
        ("DUTS-TE", "DUTS-TE-Image", "DUTS-TE-Mask"),
        ("DUTS-TR", "DUTS-TR-Image", "DUTS-TR-Mask"),
        ("DUT-OMRON", "DUT-OMRON-image", "pixelwiseGT-new-PNG"),
        ("DUT-OMRON", "DUT-OMRON-image/DUT-OMRON-image", "DUT-OMRON-gt-pixelwise.zip/pixelwiseGT-new-PNG"),
        ("PASCAL-S", "datasets/imgs/pascal", "datasets/masks/pascal"),
        ("CUB-200-2011", "images", "segmentations"),
        ("CUB-200-2011", "CUB_200_2011/images", "segmentations"),
        ("Oxford-IIIT Pet", "images", "annotations/trimaps"),
        ("PASCAL VOC", "JPEGImages", "SegmentationClass"),
    ],
)
def test_each_layout_is_recognised_and_paired_by_name(name: str, images: str, masks: str, tmp_path: Path) -> None:
    build(tmp_path, f"{images}/2.jpg", f"{images}/10.jpg", f"{masks}/2.png", f"{masks}/10.png", f"{masks}/Thumbs.db")
    build(tmp_path, f"{images}/2.mat", f"{masks}/._2.png")
    found = recognise(tmp_path)
    assert (found.name, found.images, found.masks) == (name, tmp_path / images, tmp_path / masks)
    pairs = find_pairs(tmp_path)
    assert [(p.stem, p.image.name, p.mask.name) for p in pairs] == [("10", "10.jpg", "10.png"), ("2", "2.jpg", "2.png")]
    assert find_masks(tmp_path) == find_masks(tmp_path / masks) == [(p.stem, p.mask) for p in pairs]


@pytest.mark.parametrize(
    ("folder", "name"),
    [("ECSSD", "ECSSD"), ("HKU-IS", "HKU-IS"), ("hkuis/test", "HKU-IS"), ("PASCAL_S", "PASCAL-S"), ("SOD", "SOD")],
)
def test_the_folder_around_names_a_repacked_set(folder: str, name: str, tmp_path: Path) -> None:
    build(tmp_path / folder, "imgs/a.jpg", "gt/a.png")
    assert recognise(tmp_path / folder).name == name
    # The archive was unpacked into a folder of its own.
    assert recognise(tmp_path).name == name
    assert [p.stem for p in find_pairs(tmp_path)] == ["a"]


@pytest.mark.parametrize("place", [".", "Imgs"])
def test_photographs_and_masks_side_by_side(place: str, tmp_path: Path) -> None:
    build(tmp_path / "SOD" / place, "a.jpg", "a.png", "b.JPG", "b.png")
    assert recognise(tmp_path / "SOD").name == "SOD"
    assert [(p.image.name, p.mask.name) for p in find_pairs(tmp_path / "SOD")] == [
        ("a.jpg", "a.png"),
        ("b.JPG", "b.png"),
    ]
    build(tmp_path / "SOD" / place, "c.jpg", "d.png")
    with pytest.raises(LayoutError, match=r"mask without image \(d\) and 1 × image without mask \(c\)"):
        find_pairs(tmp_path / "SOD")


def test_what_has_no_partner_is_named(tmp_path: Path) -> None:
    build(tmp_path, "images/a.jpg", "images/b.jpg", "images/d.jpg", "masks/b.png", "masks/c.png", "masks/d.jpg")
    with pytest.raises(LayoutError) as refused:
        find_pairs(tmp_path)
    assert "1 × mask without image (c)" in str(refused.value)
    assert "1 × image without mask (a)" in str(refused.value)
    assert "1 × mask is a JPEG, which blurs it; convert the original to PNG (d)" in str(refused.value)


def test_unknown_and_ambiguous_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"no known layout; it needs one of DUTS-TE-Image/ \+ DUTS-TE-Mask/"):
        recognise(tmp_path)
    build(tmp_path, "images/a.jpg", "masks/a.png", "ground_truth_mask/a.png")
    with pytest.raises(LayoutError, match=r"several sets \(ECSSD in .*, images and masks in .*\); name one"):
        recognise(tmp_path)
    with pytest.raises(LayoutError, match="several folders of masks"):
        find_masks(tmp_path)
    build(tmp_path / "DUTS", "DUTS-TE/DUTS-TE-Image/a.jpg", "DUTS-TE/DUTS-TE-Mask/a.png")
    build(tmp_path / "DUTS", "DUTS-TR/DUTS-TR-Image/a.jpg", "DUTS-TR/DUTS-TR-Mask/a.png")
    with pytest.raises(LayoutError, match="several sets"):
        recognise(tmp_path / "DUTS")


def test_sub_folders_belong_to_the_name(tmp_path: Path) -> None:
    build(tmp_path, "day/a.png", "day/a.jpg", "night/a.png")
    assert [stem for stem, _ in find_masks(tmp_path)] == ["day/a", "night/a"]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ((), "no mask"),
        (("a.jpg", "b.jpg"), "2 JPEG files without a PNG of that name"),
        (("a.png", "b.jpg"), "1 JPEG files without a PNG of that name"),
        (("a.png", "a.bmp"), "have the same name"),
    ],
)
def test_masks_that_cannot_be_trusted_are_refused(names: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    build(tmp_path, *names)
    with pytest.raises(LayoutError, match=reason):
        find_masks(tmp_path)
    with pytest.raises(LayoutError, match="no such folder"):
        find_masks(tmp_path / "nowhere")


def test_photographs_beside_their_masks_are_allowed(tmp_path: Path) -> None:
    build(tmp_path, "a.png", "a.jpg")
    assert find_masks(tmp_path) == [("a", tmp_path / "a.png")]
