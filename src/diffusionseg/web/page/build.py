"""The page put together and mounted."""

from __future__ import annotations

import gradio as gr
from fastapi import FastAPI

from diffusionseg.web.page.evaluate import evaluate_tab
from diffusionseg.web.page.held import Held, asset
from diffusionseg.web.page.routes import add_routes
from diffusionseg.web.page.segment import segment_tab
from diffusionseg.web.page.synthesise import synthesise_tab

HEAD = """<div class="head"><h1>diffusionseg</h1><p>Finds the main object in photographs, and was never shown a mask.
Everything happens on this server.</p></div>"""


def add_page(app: FastAPI, held: Held) -> None:
    """Mount the page at / and its files below /page/."""
    add_routes(app, held)
    with gr.Blocks(title="diffusionseg", analytics_enabled=False) as page:
        gr.HTML(HEAD)
        with gr.Tabs():
            with gr.Tab("Segment"):
                segment_tab(held)
            with gr.Tab("Synthesise"):
                synthesise_tab(held)
            with gr.Tab("Evaluate"):
                evaluate_tab(held, page)
    page.queue(max_size=held.config.queue, default_concurrency_limit=4, api_open=False)
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        footer_links=[],
        run_history=False,
        allowed_paths=[],
        show_error=False,
        max_file_size=1,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=_theme(),
        css=asset("page.css"),
    )


def _theme() -> gr.themes.Default:
    # Fonts of the system: the default theme's are files of their own.
    theme = gr.themes.Default(
        primary_hue="orange", font=("system-ui", "sans-serif"), font_mono=("ui-monospace", "monospace")
    )
    # Its grey and orange writing is too pale for many eyes: these have a contrast of at least 4.5 to 1.
    return theme.set(
        body_text_color_subdued="*neutral_600",
        block_info_text_color="*neutral_600",
        block_title_text_color="*neutral_700",
        block_label_text_color="*neutral_700",
        color_accent="*primary_700",
        slider_color="*primary_700",
        checkbox_background_color_selected="*primary_700",
        checkbox_border_color_selected="*primary_700",
        button_primary_background_fill="*primary_800",
        button_primary_background_fill_hover="*primary_900",
        button_primary_text_color="white",
    )
