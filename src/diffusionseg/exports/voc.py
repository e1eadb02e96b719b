"""PASCAL VOC: XML with boxes, and label pictures of classes and of objects with VOC's palette."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np

from diffusionseg.data.grey import voc_palette
from diffusionseg.data.mask_codings import VOID
from diffusionseg.exports.items import IGNORE, Box, Item, objects
from diffusionseg.exports.labelmap import labelmap
from diffusionseg.exports.photographs import place_photograph
from diffusionseg.exports.writer import Writer, in_validation, label_picture


class VocWriter(Writer):
    """JPEGImages/, Annotations/, SegmentationClass/, SegmentationObject/, ImageSets/ and labelmap.txt.

    Ignored pixels are void, 255. Folders are flat and lists end a name at a space: a/b c.jpg becomes a-b_c.jpg.
    """

    def start(self) -> None:
        """Begin the lists of images, which are the same for boxes and masks."""
        names = ("train", "val", "trainval") if self.config.val else ("trainval",)
        self._lists = {
            name: [self.open(f"ImageSets/{kind}/{name}.txt") for kind in ("Main", "Segmentation")] for name in names
        }
        self._taken: set[str] = set()
        # Names that do not fit are refused before anything is written.
        labelmap(self.classes, VOID)
        self._palette = voc_palette()

    def add(self, item: Item) -> int:
        """Write an image's photograph, XML and two label pictures."""
        label, found = self.classes.number(item.label), list(objects(item, self.config.parts))
        if max(label, len(found)) >= VOID:
            what = "classes" if label >= VOID else f"objects in {item.name}"
            raise ValueError(f"--format voc: its label pictures hold {VOID - 1} {what} at most; choose coco")
        stem = self._flat(item.stem)
        file = stem + item.file[len(item.stem) :]
        place_photograph(item, self.root / "JPEGImages" / file, self.config.placing)
        self._taken.add(stem.casefold())
        boxes = [(item.label, one.box) for one in found]
        path = self.root / "Annotations" / f"{stem}.xml"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(annotation(file, item.mask.shape, boxes))
        void = item.mask == IGNORE
        for folder, values in (
            ("SegmentationClass", [label] * len(found)),
            ("SegmentationObject", range(1, len(found) + 1)),
        ):
            labels = np.where(void, VOID, 0)
            for value, one in zip(values, found, strict=True):
                labels[one.mask] = value
            self.save(f"{folder}/{stem}.png", label_picture(labels, self._palette))
        part = "val" if in_validation(item.name, self.config.val) else "train"
        for name in (part, "trainval"):
            for file_of_names in self._lists.get(name, ()):
                file_of_names.write(f"{stem}\n")
        return len(found)

    def _flat(self, stem: str) -> str:
        flat = re.sub(r"\s", "_", stem.replace("/", "-"))
        number, unique = 2, flat
        while unique.casefold() in self._taken:
            unique, number = f"{flat}-{number}", number + 1
        return unique

    def finish(self) -> None:
        """Write which label is which class."""
        (self.root / "labelmap.txt").write_text(labelmap(self.classes, VOID), encoding="utf-8")


def annotation(file: str, shape: tuple[int, ...], boxes: list[tuple[str, Box]]) -> bytes:
    """VOC's XML of a photograph of (H, W) `shape`: boxes count from 1 and name their last pixel."""
    root = ET.Element("annotation")
    for tag, text in (("folder", "JPEGImages"), ("filename", file)):
        ET.SubElement(root, tag).text = text
    ET.SubElement(ET.SubElement(root, "source"), "database").text = "diffusionseg"
    size = ET.SubElement(root, "size")
    for tag, value in (("width", shape[1]), ("height", shape[0]), ("depth", 3)):
        ET.SubElement(size, tag).text = str(value)
    ET.SubElement(root, "segmented").text = "1"
    for name, (x0, y0, x1, y1) in boxes:
        element = ET.SubElement(root, "object")
        for tag, text in (("name", name), ("pose", "Unspecified"), ("truncated", "0"), ("difficult", "0")):
            ET.SubElement(element, tag).text = text
        corners = ET.SubElement(element, "bndbox")
        for tag, side in (("xmin", x0 + 1), ("ymin", y0 + 1), ("xmax", x1), ("ymax", y1)):
            ET.SubElement(corners, tag).text = str(int(side))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode").encode()
