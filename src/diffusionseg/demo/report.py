"""One HTML page without any outside resource: pictures are embedded, there is no script."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from html import escape

from PIL import Image

from diffusionseg import __version__
from diffusionseg.data import Sample
from diffusionseg.demo.sheet import prediction_views
from diffusionseg.prediction import Prediction
from diffusionseg.synthesis import SetSummary, attention_picture, mask_overlay

STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 2.5rem }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1rem }
.photo { display: grid; grid-template-columns: repeat(5, 1fr); gap: .5rem; margin-bottom: 1.2rem }
figure { margin: 0 }
figure.pair { display: grid; grid-template-columns: repeat(3, 1fr); gap: 2px }
figure.pair figcaption { grid-column: 1 / -1 }
figcaption { font-size: .8rem; opacity: .8 }
img { width: 100%; display: block; image-rendering: auto }
.cut-out { background: repeating-conic-gradient(#bbb 0 25%, #eee 0 50%) 0 0 / 16px 16px }
.curves { max-width: 48rem }
@media (max-width: 40rem) { .photo { grid-template-columns: repeat(2, 1fr) } }
"""


@dataclass(frozen=True)
class Page:
    """What the page shows."""

    samples: list[Sample]
    """Synthetic pairs."""
    summary: SetSummary
    """Counts of the synthetic set."""
    curves: bytes
    """PNG of the training curves."""
    photos: list[tuple[str, Image.Image, Prediction]]
    """Name, photograph and prediction."""


def page_html(page: Page) -> str:
    """The whole page as one string of HTML."""
    rejects = ", ".join(f"{n} × {escape(reason)}" for reason, n in page.summary.rejects.items()) or "none"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>diffusionseg demonstration</title>
<style>{STYLE}</style>
</head>
<body>
<h1>From class names to masks of real photographs</h1>
<p>Made by diffusionseg {__version__} with its embedded model <code>mini</code>, without any human label.</p>
<h2>1. Synthesis and AttentionCut</h2>
<p>{page.summary.samples} images made from class names alone. Beside each: the cross-attention of the class name, and
the mask that AttentionCut found (object tinted, undecided pixels grey). Images that the quality gate rejected:
{rejects}.</p>
<div class="pairs">
{"".join(_pair(s) for s in page.samples)}
</div>
<h2>2. A short decoder training on these pairs</h2>
<p>A light decoder on the generator's features. These few steps only show the course of a training; the photographs
below were segmented by the decoder that comes with the package, trained on more pairs of the same kind.</p>
<img class="curves" alt="training curves" src="{_data_uri(page.curves)}">
<h2>3. Real photographs</h2>
<p>Saliency, mask, box and cut-out. The photographs' terms: cat, coffee CC0; astronaut (NASA), rocket (SpaceX) public
domain; flower by vultilion, CC BY 2.0.</p>
{"".join(_photo(*p) for p in page.photos)}
</body>
</html>
"""


def _pair(sample: Sample) -> str:
    image = Image.fromarray(sample.image_array())
    shown = (image, attention_picture(sample.attention_array(), image.size), mask_overlay(image, sample.mask_array()))
    prompt = escape(sample.meta["prompt"])
    labels = ("image", "cross-attention", "mask")
    pictures = "".join(_img(p, f"{label}: {prompt}") for label, p in zip(labels, shown, strict=True))
    return f'<figure class="pair">{pictures}<figcaption>{prompt}</figcaption></figure>\n'


def _photo(name: str, image: Image.Image, prediction: Prediction) -> str:
    figures = "".join(
        f"<figure>{_img(p, f'{label} of {name}', label)}<figcaption>{label}</figcaption></figure>"
        for label, p in prediction_views(image, prediction).items()
    )
    return f'<div class="photo">{figures}</div>\n'


def _img(picture: Image.Image, text: str, css: str = "") -> str:
    buffer = io.BytesIO()
    if picture.mode == "RGB":
        picture.save(buffer, "JPEG", quality=88)
        return f'<img alt="{text}" src="{_data_uri(buffer.getvalue(), "jpeg")}">'
    picture.save(buffer, "PNG")
    return f'<img class="{css}" alt="{text}" src="{_data_uri(buffer.getvalue())}">'


def _data_uri(content: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
