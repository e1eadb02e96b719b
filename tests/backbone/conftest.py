"""Random generators that are built and saved once for all backbone tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from diffusionseg.backbone import Backbone
from diffusionseg.backbone.random_models import tiny_backbone

FAMILIES = ("sd1", "sd2-v", "sdxl")


@pytest.fixture(scope="session")
def tiny() -> Callable[[str], Backbone]:
    """`tiny(family)`: one shared generator a family. Tests leave it as they found it."""
    made: dict[str, Backbone] = {}

    def get(family: str) -> Backbone:
        if family not in made:
            made[family] = tiny_backbone(family)  # type: ignore[arg-type]
        return made[family]

    return get


@pytest.fixture(params=FAMILIES)
def backbone(request: pytest.FixtureRequest, tiny: Callable[[str], Backbone]) -> Backbone:
    """Each family in turn."""
    return tiny(request.param)


@pytest.fixture(scope="session")
def saved(tiny: Callable[[str], Backbone], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`saved(family)`: the folder of `tiny(family)`. Tests do not write into it."""
    folders: dict[str, Path] = {}

    def get(family: str) -> Path:
        if family not in folders:
            folders[family] = tmp_path_factory.mktemp("generators") / family
            tiny(family).save_pretrained(folders[family])
        return folders[family]

    return get


@pytest.fixture
def noise() -> Callable[..., torch.Tensor]:
    """`noise(*shape)`: the same standard normal numbers in every test."""
    return lambda *shape: torch.randn(*shape, generator=torch.Generator().manual_seed(5))


@pytest.fixture
def pictures() -> Callable[[int, int, int], torch.Tensor]:
    """`pictures(count, height, width)`: random pictures in 0…1."""
    return lambda count, height, width: torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(6))
