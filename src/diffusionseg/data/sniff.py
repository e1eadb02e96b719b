"""What a file is that is no image, from its first bytes, so that an error can say so."""

from __future__ import annotations

_OTHERS = (
    (b"%PDF-", "is a PDF document, not an image; export its pages as PNG"),
    (b"PK\x03\x04", "is a zip archive, not an image; unpack it first"),
    (b"\x1f\x8b", "is a gzip archive, not an image; unpack it first"),
    (b"%!PS", "is PostScript, not an image; export it as PNG"),
    (b"\x00\x00\x01\x00", "is an icon, not a photograph; save it as PNG"),
    (b"8BPS", "is a Photoshop document; export it as PNG or JPEG"),
)
_IMAGES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"BM", b"II*\x00", b"MM\x00*")
_HEIF_BRANDS = (b"heic", b"heix", b"heif", b"mif1", b"hevc", b"msf1")


def why_not_an_image(start: bytes) -> str:
    """Reason and remedy for a file beginning with `start` (some hundred bytes) that no reader recognised."""
    for signature, reason in _OTHERS:
        if start.startswith(signature):
            return reason
    if start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS:
        return "is a HEIC photo, which the installed Pillow cannot read; convert it to JPEG"
    if start[4:8] == b"ftyp" and start[8:12] not in (b"avif", b"avis"):
        return "is a video, not an image; extract a frame first"
    if start.startswith(_IMAGES) or start[4:8] == b"ftyp":
        return "is damaged (its header cannot be read); copy or download it again"
    text = start.lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "is a web page, not an image; download the picture itself"
    if b"<svg" in text:
        return "is an SVG drawing, not a photograph; export it as PNG"
    if _is_text(start):
        return "is a text file, not an image"
    return "is not an image in a known format; convert it to PNG or JPEG"


def _is_text(start: bytes) -> bool:
    # The last bytes may be a character cut in two.
    decoded = start.decode("utf-8", errors="ignore") if len(start) > 4 else ""
    whole = len(decoded.encode()) >= len(start) - 3
    return bool(decoded) and whole and all(c.isprintable() or c in "\r\n\t\f" for c in decoded)
