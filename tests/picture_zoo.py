"""Pictures of every kind that people have, and files that only look like pictures, built from nothing."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT = 96, 72


def scene() -> NDArray[np.uint8]:
    """(72, 96, 3): four smooth quarters of different colour, so that every flip and turn shows."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    right, low = x >= WIDTH // 2, y >= HEIGHT // 2
    red = np.where(right, 40, 220) + x % 8
    green = np.where(low, 50, 200) + y % 8
    blue = np.where(right & low, 230, 60) + (x + y) % 8
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def grey_scene() -> NDArray[np.uint8]:
    """(72, 96): the green of the scene."""
    return np.ascontiguousarray(scene()[..., 1])


def good_files(folder: Path) -> dict[str, tuple[NDArray[np.uint8], float]]:
    """Write 12 good pictures; returns for each name the pixels (H, W, 3) it shows and their mean error allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    rgb = Image.fromarray(scene())
    grey = Image.fromarray(grey_scene())
    alpha = np.full((HEIGHT, WIDTH), 255, dtype=np.uint8)
    alpha[:10], alpha[10:20] = 0, 128
    on_white = np.rint(scene() * (alpha / 255)[..., None] + 255 * (1 - alpha / 255)[..., None]).astype(np.uint8)
    grey_rgb = np.repeat(grey_scene()[..., None], 3, axis=-1)
    grey_on_white = np.rint(grey_rgb * (alpha / 255)[..., None] + 255 * (1 - alpha / 255)[..., None]).astype(np.uint8)
    expected: dict[str, tuple[NDArray[np.uint8], float]] = {}

    def save(name: str, image: Image.Image, shows: NDArray[np.uint8], error: float, **options: object) -> None:
        image.save(folder / name, **options)  # type: ignore[arg-type]
        expected[name] = (shows, error)

    turned = Image.Exif()
    turned[0x0112] = 6
    save("turned.jpg", rgb.transpose(Image.Transpose.ROTATE_90), scene(), 4, exif=turned, quality=95)
    transparent = rgb.convert("RGBA")
    transparent.putalpha(Image.fromarray(alpha))
    save("rgba.png", transparent, on_white, 1)
    save("grey-alpha.png", Image.merge("LA", [grey, Image.fromarray(alpha)]), grey_on_white, 1)
    save("cmyk.jpg", rgb.convert("CMYK"), scene(), 4, quality=95)
    save("grey16.png", Image.fromarray(grey_scene().astype(np.uint16) * 257), grey_rgb, 0)
    save("grey.jpg", grey, grey_rgb, 3, quality=95)
    palette = rgb.quantize(64)
    save("palette.png", palette, np.asarray(palette.convert("RGB")), 0)
    holes = np.asarray(palette.convert("RGB")).copy()
    holes[np.asarray(palette) == 3] = 255
    save("palette-transparent.png", palette, holes, 0, transparency=3)
    black_and_white = np.where(grey_scene() > 128, 255, 0).astype(np.uint8)
    save("one-bit.png", Image.fromarray(black_and_white).convert("1"), np.repeat(black_and_white[..., None], 3, -1), 0)
    save("photo.webp", rgb, scene(), 6, quality=95)
    second = Image.fromarray(255 - scene()).quantize(64)
    save("moving.gif", palette, np.asarray(palette.convert("RGB")), 1, save_all=True, append_images=[second])
    save("photo.tiff", rgb, scene(), 0, compression="tiff_lzw")
    return expected


def bad_files(folder: Path) -> dict[str, str]:
    """Write 12 files that are no usable picture; returns for each name a word its error must contain."""
    folder.mkdir(parents=True, exist_ok=True)
    jpeg, png = _encoded("JPEG"), _encoded("PNG")
    contents = {
        "truncated.jpg": (jpeg[: len(jpeg) // 2], "truncated"),
        "truncated.png": (png[: len(png) // 2], "truncated"),
        "text.jpg": (b"This is a note and no photograph.\n" * 20, "text file"),
        "notes.txt": ("Grüße, nothing to see here.\n".encode() * 20, "text file"),
        "empty.png": (b"", "zero bytes"),
        "bomb.png": (png_claiming(60_000, 60_000), "pixels"),
        "strip.png": (_encoded("PNG", np.zeros((1, 5000, 3), dtype=np.uint8)), "5000x1"),
        "random.jpg": (np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes(), "known format"),
        "page.png": (b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>", "web page"),
        "document.jpg": (b"%PDF-1.7\n" + bytes(range(256)) * 8, "PDF"),
        "flipped.png": (_flip_pixel_data(png), "checksum"),
        "frameless.gif": (b"GIF89a" + struct.pack("<HHBBB", 64, 64, 0, 0, 0) + b";", "damaged"),
    }
    for name, (content, _) in contents.items():
        (folder / name).write_bytes(content)
    return {name: word for name, (_, word) in contents.items()}


def more_bad_files(folder: Path) -> dict[str, str]:
    """Rarer kinds, returned as `bad_files` does."""
    folder.mkdir(parents=True, exist_ok=True)
    gif, webp, tiff = _encoded("GIF"), _encoded("WEBP"), _encoded("TIFF")
    bmp = bytearray(_encoded("BMP"))
    bmp[18:26] = struct.pack("<ii", 50_000, 50_000)
    contents = {
        "truncated.gif": (gif[: len(gif) // 2], ""),
        "truncated.webp": (webp[: len(webp) // 2], ""),
        "truncated.tiff": (tiff[: len(tiff) // 2], ""),
        "no-end.png": (_encoded("PNG")[:-12], "truncated"),
        "only-signature.png": (b"\x89PNG\r\n\x1a\n", "header"),
        "only-start.jpg": (b"\xff\xd8\xff\xe0", "header"),
        "bomb.bmp": (bytes(bmp), "pixels"),
        "bomb.gif": (gif[:6] + struct.pack("<HH", 65_535, 65_535) + gif[10:], "pixels"),
        "large.png": (png_claiming(11_000, 11_000), "pixels"),
        "long.png": (png_claiming(70_000, 900), "65500"),
        "nothing.png": (png_claiming(0, 50), ""),
        "tiny.png": (_encoded("PNG", np.zeros((7, 7, 3), dtype=np.uint8)), "7x7"),
        "ribbon.png": (_encoded("PNG", np.zeros((8, 801, 3), dtype=np.uint8)), "100 times"),
        "archive.png": (b"PK\x03\x04" + bytes(100), "zip"),
        "drawing.svg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        "picture.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "HEIC"),
        "film.mp4": (b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2" + bytes(100), "video"),
        "page.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", "PostScript"),
        "zeros.dat": (bytes(4096), "known format"),
    }
    for name, (content, _) in contents.items():
        (folder / name).write_bytes(content)
    return {name: word for name, (_, word) in contents.items()}


def png_claiming(width: int, height: int, colour: int = 2) -> bytes:
    """A PNG of a hundred bytes whose header claims a size; colour type 2 is RGB, 0 grey."""
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(64))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def picture(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    """Noise of 20 rows and 24 columns, stored as Pillow stores it."""
    pixels = np.random.default_rng(1).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _encoded(kind: str, pixels: NDArray[np.uint8] | None = None) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(noise if pixels is None else pixels).save(buffer, kind)
    return buffer.getvalue()


def _flip_pixel_data(png: bytes) -> bytes:
    place = png.index(b"IDAT") + 100
    return png[:place] + bytes([png[place] ^ 0xFF]) + png[place + 1 :]
