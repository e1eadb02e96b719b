"""The page and the HTTP API. Needs the extra `web`; importing this package alone does not."""

from diffusionseg.web.config import ServeConfig
from diffusionseg.web.extra import check_extra
from diffusionseg.web.models import LoadedModel, load_models

__all__ = ["LoadedModel", "ServeConfig", "check_extra", "load_models"]
