"""The Gradio page: three tabs over the same models, limits and threads as the API."""

from diffusionseg.web.page.build import add_page

__all__ = ["add_page"]
