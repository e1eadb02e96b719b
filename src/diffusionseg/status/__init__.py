"""Where the run behind a folder stands, told from its files alone. Knows no model."""

from diffusionseg.status.folder import folder_status
from diffusionseg.status.standing import Standing

__all__ = ["Standing", "folder_status"]
