"""The tab Evaluate."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import gradio as gr

from diffusionseg.evaluation import PROTOCOLS
from diffusionseg.evaluation.report import report_saliency
from diffusionseg.web.body import Refused
from diffusionseg.web.jobs import Stopped, files_in
from diffusionseg.web.page.held import Held, Report, explained, folders_below
from diffusionseg.web.page.views import alert, link

EMPTY = '<p class="empty">The report appears here.</p>'
CLOSED = """<p class="empty">No folder of the server may be read. Start it with <code>--allow DIR</code>, the folder of
your predictions and masks, to evaluate them here.</p>"""
UNDECIDED = [
    ("refuse masks that have any", ""),
    ("object", "object"),
    ("half", "half"),
    ("background", "background"),
    ("as the protocol says", "protocol"),
]


def evaluate_tab(held: Held, page: gr.Blocks) -> None:
    """Build the tab inside the Blocks `page` that are open."""
    if not held.config.allow:
        gr.HTML(CLOSED)
        return
    labels = list(folders_below(held.config.allow))
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            predictions = gr.Dropdown(labels, value=None, label="Folder of predictions", elem_id="predictions")
            masks = gr.Dropdown(labels, value=None, label="Folder of masks, or data set", elem_id="masks")
            protocols = gr.CheckboxGroup(list(PROTOCOLS), value=["tokencut"], label="Protocols")
            undecided = gr.Radio(UNDECIDED, value="", label="Grey and void pixels of the masks count as")
            intervals = gr.Checkbox(False, label="Confidence intervals")
            missing = gr.Checkbox(False, label="Count missing predictions as empty")
            begin = gr.Button("Evaluate", variant="primary", elem_id="evaluate")
        with gr.Column(scale=2, min_width=300):
            problems = gr.HTML()
            shown = gr.HTML(EMPTY, elem_id="report")

    def evaluate(*values: Any, progress: gr.Progress = gr.Progress()) -> tuple[str, str]:  # noqa: B008
        def told(done: int, total: int) -> None:
            progress((done, total), desc="images")

        try:
            return "", _shown(held.reports.put(_evaluated(held, told, *values)))
        except Exception as error:
            return alert([_without_paths(held, explained(error))]), EMPTY

    def look_again() -> tuple[Any, Any]:
        now = list(folders_below(held.config.allow))
        return gr.Dropdown(now), gr.Dropdown(now)

    inputs = [predictions, masks, protocols, undecided, intervals, missing]
    begin.click(
        evaluate, inputs, [problems, shown], api_visibility="private", concurrency_limit=4, show_progress_on=shown
    )
    page.load(look_again, None, [predictions, masks], api_visibility="private", show_progress="hidden")


def _evaluated(
    held: Held,
    told: Any,
    predictions: str | None,
    masks: str | None,
    protocols: list[str],
    undecided: str,
    intervals: bool,
    missing: bool,
) -> Report:
    folders = folders_below(held.config.allow)
    if predictions not in folders or masks not in folders:
        raise Refused(422, "Choose a folder of predictions and one of masks.")
    if not protocols:
        raise Refused(422, "Choose at least one protocol.")
    latest = time.monotonic() + held.config.job_timeout

    def report(done: int, total: int) -> None:
        if time.monotonic() > latest:
            raise Stopped(f"took longer than {held.config.job_timeout:g} seconds")
        told(done, total)

    def work() -> Report:
        with tempfile.TemporaryDirectory(prefix="diffusionseg-report-") as out:
            report_saliency(
                folders[predictions],
                folders[masks],
                Path(out),
                protocols=protocols,
                undecided=undecided or None,
                intervals=bool(intervals),
                allow_missing=bool(missing),
                report=report,
            )
            return Report(files_in(Path(out)))

    return held.evaluating.call(work, held.config.job_timeout)


def _shown(key: str) -> str:
    address = f"page/reports/{key}/report.html"
    return (
        '<nav class="downloads" aria-label="Report">'
        f'<a class="download" target="_blank" href="{address}">Open the report alone</a> '
        f"{link(f'page/reports/{key}/report.zip', 'report.zip')}</nav>"
        f'<iframe title="Report of the evaluation" src="{address}" sandbox="allow-same-origin"></iframe>'
    )


def _without_paths(held: Held, text: str) -> str:
    """Where the folders lie on the server is nobody's business."""
    for root in held.config.allow:
        text = text.replace(str(root.resolve()), root.name).replace(str(root), root.name)
    return text
