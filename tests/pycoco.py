"""Masks as pycocotools draws them."""

import warnings

import numpy as np
from pycocotools import mask


def decoded(code):
    """The mask (H, W) bool of a run-length code in pycocotools' own form."""
    with warnings.catch_warnings():
        # Its compiled arrays do not know NumPy 2's `copy`.
        warnings.simplefilter("ignore", DeprecationWarning)
        return mask.decode(code).astype(bool)


def drawn(polygons, shape):
    """The union of COCO polygons, flat lists of x and y."""
    if not polygons:
        return np.zeros(shape, bool)
    return decoded(mask.merge(mask.frPyObjects(polygons, *shape)))
