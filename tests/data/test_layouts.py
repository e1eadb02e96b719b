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
        ("TokenCut", "img", "gt"),
        ("DUTS-TE", "DUTS-TE-Image", "DUTS-TE-Mask"),
        ("DUTS-TR", "DUTS-TR-Image", "DUTS-TR-Mask"),
        ("DUT-OMRON", "DUT-OMRON-image", "pixelwiseGT-new-PNG"),
    ],
)
def test_each_layout_is_recognised_and_paired_by_name(name: str, images: str, masks: str, tmp_path: Path) -> None:
    build(tmp_path, f"{images}/2.jpg", f"{images}/10.jpg", f"{masks}/2.png", f"{masks}/10.png", f"{masks}/Thumbs.db")
    assert recognise(tmp_path) == (name, tmp_path / images, tmp_path / masks)
    pairs = find_pairs(tmp_path)
    assert [(p.stem, p.image.name, p.mask.name) for p in pairs] == [("10", "10.jpg", "10.png"), ("2", "2.jpg", "2.png")]
    assert find_masks(tmp_path) == find_masks(tmp_path / masks) == [(p.stem, p.mask) for p in pairs]


def test_what_has_no_partner_is_named(tmp_path: Path) -> None:
    build(tmp_path, "images/a.jpg", "images/b.jpg", "masks/b.png", "masks/c.png")
    with pytest.raises(LayoutError, match=r"1 masks without image \(c\) and 1 images without mask \(a\)"):
        find_pairs(tmp_path)


def test_unknown_and_ambiguous_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"no known layout; it needs one of DUTS-TE-Image/ \+ DUTS-TE-Mask/"):
        recognise(tmp_path)
    build(tmp_path, "images/a.jpg", "masks/a.png", "ground_truth_mask/a.png")
    with pytest.raises(LayoutError, match="several sets"):
        recognise(tmp_path)
    with pytest.raises(LayoutError, match="several folders of masks"):
        find_masks(tmp_path)


def test_sub_folders_belong_to_the_name(tmp_path: Path) -> None:
    build(tmp_path, "day/a.png", "night/a.png")
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
