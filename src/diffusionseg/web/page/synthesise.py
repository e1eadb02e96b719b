"""The tab Synthesise."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr

from diffusionseg import mini
from diffusionseg.synthesis import Drawing, draw, parse_class_names, reject_reason
from diffusionseg.web.body import Refused
from diffusionseg.web.page.held import Held, asset, explained
from diffusionseg.web.page.held_set import EXPORTS, Cutting, HeldSet, chosen
from diffusionseg.web.page.set_views import EMPTY, details, gallery
from diffusionseg.web.page.views import alert, link, status

MOST = 16
"""Images of one set on the page; the API and the command line make larger sets."""
CLOSED = """<p class="empty">No model of this server has a generator to draw with. Start it with
<code>--weights mini</code>, or another decoder, to synthesise images here.</p>"""


def synthesise_tab(held: Held) -> None:
    """Build the tab inside the Blocks that are open."""
    cut = held.synthesis.cut
    names = [name for name, model in held.models.items() if model.generator is not None]
    if not names:
        gr.HTML(CLOSED)
        return
    key, number = gr.State(None), gr.State(0)
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            classes = gr.Textbox(
                "starfish, sunflower", label="Classes, separated by commas", info=_known(held), elem_id="classes"
            )
            model = gr.Radio(names, value=names[0], label="Generator of", visible=len(names) > 1)
            count = gr.Slider(1, min(MOST, held.config.max_count), 4, step=1, label="Images", elem_id="count")
            seed = gr.Number(0, minimum=0, maximum=2**31 - 1, precision=0, label="Seed")
            with gr.Row():
                begin = gr.Button("Synthesise", variant="primary", elem_id="begin")
                stop = gr.Button("Stop", elem_id="stop")
            smoothness = gr.Slider(
                0, 10, cut.smoothness, step=0.1, label="λ", info="how much neighbours hold together", elem_id="lambda"
            )
            sigma = gr.Slider(
                0.5, 8, cut.sigma, step=0.1, label="σ", info="how far an edge reaches, of 16 positions", elem_id="sigma"
            )
            refine = gr.Radio(
                [("along the image's colours", "cut"), ("as the attention has it", "guided")],
                value=cut.refine,
                label="Masks",
                elem_id="masks",
            )
            layers = gr.CheckboxGroup([], label="Layers", visible=False, elem_id="layers")
            readings = gr.CheckboxGroup([], label="Timesteps", visible=False, elem_id="timesteps")
            with gr.Row():
                across = gr.Slider(0, 100, 50, step=1, label="Point, % from the left", elem_id="across")
                down = gr.Slider(0, 100, 50, step=1, label="Point, % from the top", elem_id="down")
        with gr.Column(scale=2, min_width=300):
            problems = gr.HTML()
            progress = gr.HTML(status(""), elem_id="progress")
            shown = gr.HTML(EMPTY, js_on_load=asset("pick.js"), elem_id="gallery")
            keep = gr.Button("Keep", visible=False, size="sm", elem_id="keep")
            detail = gr.HTML("", js_on_load=asset("point.js"), elem_id="detail")
            export = gr.HTML("", elem_id="export")
    cutting, point = [smoothness, sigma, refine, layers, readings], [across, down]
    pictures = [shown, detail, export]
    common: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "cut", "concurrency_limit": 4}

    def synthesise(*values: Any) -> Iterator[dict[Any, Any]]:
        yield {problems: "", progress: status("Waiting …"), keep: gr.Button(visible=False), number: 0, detail: ""}
        try:
            one, places = _begun(held, *values)
        except Exception as error:
            yield {problems: alert([explained(error)]), progress: status("")}
            return
        kept = held.sets.put(one)
        for done, problem in enumerate(_filled(held, one, places), 1):
            if problem is not None:
                yield {problems: alert([problem]), progress: status("")}
                return
            told = {key: kept, progress: status(f"{done} of {len(places)} images"), shown: gallery(one, 0)}
            if done == 1 and one.cutting is not None:
                told |= {
                    layers: gr.CheckboxGroup(_layers(one.drawings[0]), value=list(one.cutting.blocks), visible=True),
                    readings: gr.CheckboxGroup(_times(one.drawings[0]), value=list(one.cutting.readings), visible=True),
                    smoothness: one.cutting.smoothness,
                    sigma: one.cutting.sigma,
                    refine: one.cutting.refine,
                    detail: details(one, 0, (0.5, 0.5)),
                    keep: _keep_button(one, 0),
                }
            yield told | {export: _export(kept, one)}

    def cut_again(held_key: Any, at: int, *values: Any) -> tuple[str, str, str, str]:
        if held_key is None:
            return "", EMPTY, "", ""
        try:
            one = held.sets.get(held_key)
            one.cut_again(_cutting(one, *values[: len(cutting)]))
            return "", gallery(one, at), details(one, at, _point(*values[len(cutting) :])), _export(held_key, one)
        except Exception as error:
            return alert([explained(error)]), gr.skip(), gr.skip(), gr.skip()

    def look(held_key: Any, at: int, *values: Any) -> str:
        try:
            return details(held.sets.get(held_key), at, _point(*values)) if held_key is not None else ""
        except Exception as error:
            return alert([explained(error)])

    def pick(event: gr.EventData, held_key: Any, *values: Any) -> tuple[int, str, Any]:
        told = getattr(event, "_data", None)
        at = told.get("n") if isinstance(told, dict) else None
        try:
            one = held.sets.get(held_key)
            at = at if isinstance(at, int) and 0 <= at < len(one.pairs) else 0
            return at, details(one, at, _point(*values)), _keep_button(one, at)
        except Exception as error:
            return 0, alert([explained(error)]), gr.skip()

    def aim(event: gr.EventData) -> tuple[float, float]:
        told = getattr(event, "_data", None)
        x, y = (told.get("x"), told.get("y")) if isinstance(told, dict) else (None, None)
        return _percent(x), _percent(y)

    def toggle(held_key: Any, at: int) -> tuple[Any, ...]:
        try:
            one = held.sets.get(held_key)
            one.kept[at] = not one.kept[at]
            return "", gallery(one, at), _export(held_key, one), _keep_button(one, at)
        except Exception as error:
            return alert([explained(error)]), gr.skip(), gr.skip(), gr.skip()

    running = begin.click(
        synthesise,
        [model, classes, count, seed],
        [key, number, problems, progress, layers, readings, smoothness, sigma, refine, keep, *pictures],
        show_progress="hidden",
        api_visibility="private",
        concurrency_limit=4,
        trigger_mode="once",
    )
    stop.click(lambda: status("Stopped."), None, progress, cancels=[running], api_visibility="private")
    silent: dict[str, Any] = {"show_progress": "hidden", **common}
    latest: dict[str, Any] = {"trigger_mode": "always_last", **silent}
    for slider in (smoothness, sigma):
        slider.change(cut_again, [key, number, *cutting, *point], [problems, *pictures], **latest)
    for group in (refine, layers, readings):
        group.input(cut_again, [key, number, *cutting, *point], [problems, *pictures], **latest)
    for slider in point:
        slider.change(look, [key, number, *point], detail, **latest)
    shown.pick(pick, [key, *point], [number, detail, keep], **silent)
    detail.point(aim, None, point, **silent)
    keep.click(toggle, [key, number], [problems, shown, export, keep], **silent)


def _known(held: Held) -> str:
    generators = {model.generator.name for model in held.models.values() if model.generator is not None}
    return f"mini was trained on {', '.join(mini.class_names())}" if mini.NAME in generators else ""


def _begun(held: Held, model: str, classes: str, count: float, seed: float | None) -> tuple[HeldSet, range]:
    names = parse_class_names(classes)
    if len(classes) > 2000 or len(names) > 64:
        raise Refused(422, "these are too many classes; use at most 64")
    held.models[model].check_classes(names, held.synthesis)
    return HeldSet(held.synthesis, int(seed or 0), held.models[model], names), range(int(count))


def _filled(held: Held, one: HeldSet, places: range) -> Iterator[str | None]:
    """Draw image after image; yields None after each, or what went wrong."""
    for place in places:
        try:
            drawing = _accepted(held, one, place)
            one.add(drawing)
        except Exception as error:
            yield explained(error)
            return
        yield None


def _accepted(held: Held, one: HeldSet, place: int) -> Drawing:
    """The first image of a place that the quality gate lets pass, or the last that was tried."""
    for attempt in range(one.config.attempts):
        work = partial(draw, one.model.drawing_generator(), one.class_names, place, one.seed, attempt, one.config)
        drawing = held.drawing.call(work, held.config.timeout)
        if reject_reason(one.usual_pair(drawing).quality, one.config.gate) is None:
            break
    return drawing


def _layers(drawing: Drawing) -> list[tuple[str, str]]:
    """`up_blocks.2.attentions.1.transformer_blocks.0` with its grid is "up 2.1.0, 16x16"."""
    choices = []
    for name, (height, width) in drawing.blocks.items():
        where, *rest = name.split(".")
        number = ".".join(part for part in rest if part.isdecimal())
        choices.append((f"{where.partition('_')[0]} {number}, {height}x{width}", name))
    return choices


def _times(drawing: Drawing) -> list[tuple[str, int]]:
    choices = []
    for number, reading in enumerate(drawing.readings):
        first, last = max(reading.timesteps), min(reading.timesteps)
        text = f"read again at {first}" if reading.fresh else f"while drawn, {first} to {last}"
        choices.append((text, number))
    return choices


def _cutting(one: HeldSet, smoothness: float, sigma: float, refine: Any, layers: Any, readings: Any) -> Cutting:
    drawing = one.drawings[0]
    numbers = [n for n in readings if isinstance(n, int) and 0 <= n < len(drawing.readings)]
    blocks = chosen(layers, list(drawing.blocks))
    return Cutting(float(smoothness), float(sigma), refine, tuple(sorted(numbers)), tuple(blocks))


def _keep_button(one: HeldSet, at: int) -> Any:
    return gr.Button(f"{'Reject' if one.kept[at] else 'Keep'} image {at + 1}", visible=True)


def _percent(share: Any) -> float:
    return round(100 * min(max(float(share), 0), 1)) if isinstance(share, int | float) else 50


def _point(across: float, down: float) -> tuple[float, float]:
    return float(across) / 100, float(down) / 100


def _export(key: str, one: HeldSet) -> str:
    count = sum(one.kept)
    if not count:
        return status("No image is kept, so there is nothing to export.")
    links = [link(f"page/sets/{key}/pairs.zip", f"Export {count} kept pair{'s' * (count > 1)}")]
    links += [link(f"page/sets/{key}/{format}.zip", f"as {name}") for format, name in EXPORTS.items()]
    return f'<nav class="downloads" aria-label="Export">{" ".join(links)}</nav>'
