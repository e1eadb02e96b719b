"""Folders of good and of bad picture files of every kind, for tests of reading and of prediction."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def photo(seed: int = 0, size: tuple[int, int] = (60, 48)) -> Image.Image:
    """A smooth coloured picture."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (5, 6, 3), dtype=np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def good_files(folder: Path) -> list[str]:
    """Twelve pictures that every tool should read; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    image = photo()
    exif = Image.Exif()
    exif[0x0112] = 6
    grey16 = (np.asarray(image.convert("L")).astype(np.uint16) * 257).astype("<u2")
    palette = image.quantize(16)
    transparent = image.quantize(16)
    transparent.info["transparency"] = 0
    alpha = image.copy()
    alpha.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save(folder / "rotated.jpg", exif=exif)
    alpha.save(folder / "alpha.png")
    alpha.convert("LA").save(folder / "grey_alpha.png")
    image.convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(grey16).save(folder / "grey16.png")
    image.convert("L").save(folder / "grey.jpg")
    palette.save(folder / "palette.png")
    transparent.save(folder / "palette_transparent.png", transparency=0)
    image.convert("1").save(folder / "one_bit.png")
    image.save(folder / "photo.webp")
    image.convert("P").save(folder / "photo.gif")
    image.save(folder / "photo.tiff")
    return sorted(p.name for p in folder.iterdir())


def bad_files(folder: Path) -> list[str]:
    """Twelve files that no tool can read as a picture of sensible size; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder.parent / "whole"
    scratch.mkdir(exist_ok=True)
    image = photo(size=(200, 160))
    image.save(scratch / "a.jpg")
    image.save(scratch / "a.png")
    jpeg, png = (scratch / "a.jpg").read_bytes(), (scratch / "a.png").read_bytes()
    broken = bytearray(png)
    broken[len(png) // 2] ^= 0xFF
    contents = {
        "truncated.jpg": jpeg[: len(jpeg) // 2],
        "truncated.png": png[: len(png) // 2],
        "damaged.png": bytes(broken),
        "text.jpg": b"this is no picture\n" * 20,
        "notes.txt": b"remember the milk\n",
        "empty.png": b"",
        "page.png": b"<!doctype html><title>404</title>",
        "paper.jpg": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n",
        "noise.jpg": np.random.default_rng(0).bytes(500),
        "bomb.png": png_header(60_000, 60_000),
        "strip.png": b"",
        "header_only.gif": b"GIF89a",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    Image.new("RGB", (5000, 1)).save(folder / "strip.png")
    return sorted(contents)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
