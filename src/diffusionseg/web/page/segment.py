"""The tab Segment."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode

import gradio as gr
import numpy as np
from PIL import Image

from diffusionseg.masks import mask_picture, overlay, saliency_picture
from diffusionseg.prediction import PICTURES, Prediction
from diffusionseg.web.page.held import Held, asset, explained
from diffusionseg.web.page.held_photo import BACKGROUNDS, on_background, settings
from diffusionseg.web.page.views import alert, before_after, figure, link, shrunk

MOST = 24
"""Photographs that one visitor has at once."""
EMPTY = '<p class="empty">The object of your photograph appears here.</p>'


def segment_tab(held: Held) -> None:
    """Build the tab inside the Blocks that are open."""
    default = next(iter(held.models.values())).segmenter.predict_config
    names = list(held.models)
    keys = gr.State([])
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            drop = gr.HTML(html_template=asset("drop.html"), js_on_load=asset("drop.js"), elem_id="drop")
            problems = gr.HTML()
            which = gr.Radio([], label="Photograph", visible=False, elem_id="which")
            model = gr.Radio(names, value=names[0], label="Model", visible=len(names) > 1)
            threshold = gr.Slider(0.02, 0.98, default.threshold, step=0.02, label="Threshold", elem_id="threshold")
            refine = gr.Radio(
                [("none", "none"), ("guided filter", "guided"), ("bilateral solver", "bilateral"), ("cut", "cut")],
                value=default.refine,
                label="Refinement",
            )
            multiple = gr.Checkbox(default.multiple, label="Boxes of all objects, not of the largest alone")
            background = gr.Radio(list(BACKGROUNDS), value="transparent", label="Background of the cut-out")
        with gr.Column(scale=2, min_width=300):
            shown = gr.HTML(EMPTY, elem_id="segmented")
    chosen = [which, model, threshold, refine, multiple, background]
    common: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "segment", "concurrency_limit": 4}

    def add(event: gr.EventData, held_keys: list[str], *values: Any) -> tuple[Any, ...]:
        new, wrong = _added(event)
        every = [*held_keys, *new][-MOST:]
        choices = _choices(held, every)
        value = new[-1] if new else (values[0] if values[0] in every else None)
        picture, said = _render(held, every, value, *values[1:])
        radio = gr.Radio(choices, value=value, visible=len(choices) > 1)
        return every, radio, alert([*wrong, *said]), picture

    def show(held_keys: list[str], *values: Any) -> tuple[str, str]:
        picture, said = _render(held, held_keys, *values)
        return alert(said), picture

    drop.photos(add, [keys, *chosen], [keys, which, problems, shown], **common)
    for control in chosen:
        listen = control.input if control is not threshold else control.change
        listen(
            show,
            [keys, *chosen],
            [problems, shown],
            trigger_mode="always_last",
            show_progress="hidden",
            **common,
        )


def _added(event: Any) -> tuple[list[str], list[str]]:
    """Keys and problems that the drop zone told of."""
    told = getattr(event, "_data", None)
    photos = told.get("photos") if isinstance(told, dict) else None
    entries = [entry for entry in photos if isinstance(entry, dict)] if isinstance(photos, list) else []
    keys = [entry["key"] for entry in entries if isinstance(entry.get("key"), str)]
    return keys, [str(entry["error"])[:400] for entry in entries if "error" in entry]


def _choices(held: Held, keys: Sequence[str]) -> list[tuple[str, str]]:
    choices = []
    for number, key in enumerate(keys):
        try:
            choices.append((f"{number + 1} {held.photos.get(key).name}", key))
        except Exception as error:
            explained(error)
    return choices


def _render(held: Held, keys: Sequence[str], key: Any, *values: Any) -> tuple[str, list[str]]:
    """The pictures, and what went wrong."""
    if key is None or key not in keys:
        key = keys[-1] if keys else None
    if key is None:
        return EMPTY, []
    try:
        model_name, refine, background = values[0], values[2], values[4]
        model = held.models[model_name]
        config = settings(model, refine, values[1], values[3])
        photo = held.photos.get(key)
        prediction = photo.predict(model, config, held.at_desk)
        query = {"model": model.name, "refine": refine, "threshold": config.threshold, "multiple": config.multiple}
        links = _links(key, query, background)
        return _pictures(photo.name, photo.photo, prediction, background) + links, []
    except Exception as error:
        return EMPTY, [explained(error)]


def _pictures(name: str, photo: Image.Image, prediction: Prediction, background: str) -> str:
    small = shrunk(photo)
    mask = shrunk(mask_picture(prediction.mask))
    saliency = shrunk(saliency_picture(prediction.saliency))
    # What is drawn at full size would have lines too thin to see here.
    scale = small.width / photo.width, small.height / photo.height
    boxes = [_scaled(box, scale, small.size) for box in prediction.boxes]
    drawn = overlay(small, np.asarray(mask) > 127, boxes)
    alpha = np.asarray(shrunk(saliency_picture(prediction.alpha)), np.float32) / np.float32(255)
    cut = on_background(small, alpha, background)
    share = float(prediction.mask.mean())
    found = f"{share:.0%} of the picture" if prediction.boxes else "nothing above the threshold"
    return (
        before_after(small, drawn, name)
        + '<div class="pictures">'
        + figure(saliency, f"saliency of {name}, white is object", "Saliency")
        + figure(mask, f"mask of {name}: {found}", f"Mask: {found}")
        + figure(overlay(small, np.zeros_like(np.asarray(mask), bool), boxes), _spoken(name, prediction), "Boxes")
        + figure(cut, f"cut-out of {name}, background {background}", "Cut-out", "chequered")
        + "</div>"
        + _table(prediction)
    )


def _scaled(box: tuple[int, int, int, int], scale: tuple[float, float], size: tuple[int, int]) -> Any:
    x0, x1 = (min(round(box[i] * scale[0]), size[0]) for i in (0, 2))
    y0, y1 = (min(round(box[i] * scale[1]), size[1]) for i in (1, 3))
    x0, y0 = min(x0, size[0] - 1), min(y0, size[1] - 1)
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)


def _spoken(name: str, prediction: Prediction) -> str:
    boxes = "; ".join(f"from {x0}, {y0} to {x1}, {y1}" for x0, y0, x1, y1 in prediction.boxes[:5])
    return f"boxes in {name}: {boxes or 'none'}"


def _table(prediction: Prediction) -> str:
    rows = "".join(
        f"<tr><td>{number}</td>{''.join(f'<td>{v}</td>' for v in box)}<td>{score:.2f}</td></tr>"
        for number, (box, score) in enumerate(zip(prediction.boxes, prediction.scores, strict=True), 1)
    )
    head = "".join(f'<th scope="col">{title}</th>' for title in ("Box", "x0", "y0", "x1", "y1", "score"))
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _links(key: str, query: dict[str, Any], background: str) -> str:
    address = partial(_address, key)
    places = [link(address(f"{kind}.png", query), f"{kind}.png") for kind in PICTURES]
    if background != "transparent":
        places.append(link(address("cutout.png", {**query, "background": background}), f"cut-out on {background}"))
    places += [link(address("json", query), "boxes.json"), link(address("zip", query), "everything.zip")]
    return f'<nav class="downloads" aria-label="Downloads"><b>Download</b> {" ".join(places)}</nav>'


def _address(key: str, what: str, query: dict[str, Any]) -> str:
    return f"page/photos/{key}/{what}?{urlencode(query)}"
