"""A photograph whose object is known, and a grid divided in two."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def disc():
    """Photograph (60, 80, 3) of an orange disc on blue, a little noisy, and its mask."""
    y, x = np.mgrid[:60, :80]
    mask = np.hypot(y - 30, x - 40) < 16
    noise = np.random.default_rng(0).integers(-6, 7, (60, 80, 3))
    return np.clip(np.where(mask[..., None], [220, 130, 40], [40, 70, 160]) + noise, 0, 255).astype(np.uint8), mask


@pytest.fixture(scope="session")
def block():
    """(12, 12) bool: a square in the middle."""
    inside = np.zeros((12, 12), dtype=bool)
    inside[3:9, 4:10] = True
    return inside


@pytest.fixture(scope="session")
def block_attention(block):
    """(144, 144), rows summing to 1: every position looks at its own side."""
    same = block.ravel()[:, None] == block.ravel()
    return same / same.sum(axis=1, keepdims=True)


@pytest.fixture(scope="session")
def block_features(block):
    """(144, 6): two directions, one on either side, and a little noise."""
    directions = np.where(block.ravel()[:, None], [1.0, 0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0, 0])
    return directions + 0.05 * np.random.default_rng(1).normal(size=directions.shape)
