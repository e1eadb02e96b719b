"""A tiny generator."""

import pytest

from diffusionseg.backbone.random_models import tiny_backbone


@pytest.fixture(scope="session")
def backbone():
    return tiny_backbone("sd1")
