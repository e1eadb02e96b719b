"""One HTML page without any outside resource: pictures are embedded, there is no script."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape

from PIL import Image

from diffusionseg import __version__
from diffusionseg.evaluation.report.folder import MARK
from diffusionseg.evaluation.report.gallery import Views

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 76rem; margin: 0 auto;
  padding: 1rem; overflow-wrap: anywhere }
h1 { line-height: 1.2; font-size: clamp(1.4rem, 6vw, 2rem) }
h2 { margin: 2.5rem 0 .5rem; border-bottom: 1px solid #ddd }
.wide { overflow-x: auto; margin: 1rem 0 }
table { border-collapse: collapse; overflow-wrap: normal }
caption { text-align: left; color: #555; font-size: .9rem; padding-bottom: .3rem }
caption span { display: block; max-width: calc(100vw - 2rem) }
th, td { padding: .25rem 1.6rem .25rem 0; vertical-align: top; border-bottom: 1px solid #ddd;
  white-space: nowrap; text-align: right; font-variant-numeric: tabular-nums }
th[scope=row], th:first-child, .text { text-align: left }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.6rem; font-size: .9rem }
dt { font-weight: 600 }
dd { margin: 0 }
figure { margin: 0 }
figcaption, .view small { font-size: .85rem; color: #555 }
img { width: 100%; display: block }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1rem }
.figures figure { max-width: 32rem }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(32rem, 100%), 1fr)); gap: 1.2rem 2rem }
.gallery.narrow { grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)) }
.views { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: .4rem; align-items: end }
.view small { display: block; line-height: 1.3 }
@media (max-width: 40rem) {
  th, td { padding-right: .7rem; font-size: .85rem }
  th[scope=row] { white-space: normal }
  td span { display: block; font-size: .75rem; color: #555 }
  dl { display: block }
  .views { grid-auto-flow: row; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)) }
}
"""


def page_html(title: str, body: str) -> bytes:
    """The whole page; `body` is HTML, `title` plain text."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{MARK} {__version__}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
{body}</body>
</html>
""".encode(errors="replace")


def section(title: str, *parts: str, level: int = 2) -> str:
    """A heading in plain text, of a level from 2, and the HTML below it."""
    return f"<h{level}>{escape(title)}</h{level}>\n{''.join(parts)}"


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{escape(text)}</p>\n"


def definitions(terms: Mapping[str, str]) -> str:
    """What each term means, plain text."""
    return f"<dl>{''.join(f'<dt>{escape(t)}</dt><dd>{escape(said)}</dd>' for t, said in terms.items())}</dl>\n"


def figures(drawn: Sequence[tuple[bytes, str]]) -> str:
    """Figures side by side where there is room, each an SVG and what it shows."""
    return f'<div class="figures">\n{"".join(_figure(svg, text) for svg, text in drawn)}</div>\n'


def gallery(shown: Sequence[tuple[str, str, Views]]) -> str:
    """Images by name, what is said of each, and its pictures; one without pictures is only named."""
    narrow = " narrow" if all(len(views) == 1 for _, _, views in shown) else ""
    return f'<div class="gallery{narrow}">\n{"".join(_image(*image) for image in shown)}</div>\n'


def _figure(svg: bytes, text: str) -> str:
    return f'<figure><img alt="{escape(text)}" src="{_data_uri(svg, "svg+xml")}"></figure>\n'


def _image(name: str, said: str, views: Views) -> str:
    cells = "".join(
        f'<span class="view"><img alt="{escape(f"{label} of {name}")}" src="{_picture(picture)}">'
        + (f"<small>{escape(label)}</small>" if len(views) > 1 else "")
        + "</span>"
        for label, picture in views
    )
    pictures = f'<div class="views">{cells}</div>' if cells else ""
    return f"<figure>{pictures}<figcaption><b>{escape(name)}</b> {escape(said)}</figcaption></figure>\n"


def _picture(picture: Image.Image) -> str:
    """Photographs as JPEG, masks and saliency as PNG."""
    buffer = io.BytesIO()
    if picture.mode == "RGB":
        picture.save(buffer, "JPEG", quality=85)
        return _data_uri(buffer.getvalue(), "jpeg")
    picture.save(buffer, "PNG", optimize=True)
    return _data_uri(buffer.getvalue(), "png")


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
