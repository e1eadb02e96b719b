"""Run-length codes are those of pycocotools and of Label Studio's converter, both ways."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from pycocotools import mask as pycoco

from diffusionseg.masks import decode_brush, decode_rle, encode_brush, encode_rle, mask_from_counts, rle_counts
from pycoco import decoded

MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))
BRUSHES = json.loads((Path(__file__).parent / "label_studio.json").read_text())["cases"]


@settings(max_examples=200, deadline=None)
@given(MASKS)
def test_pycocotools_writes_the_same_string_and_reads_both_forms(mask):
    code = encode_rle(mask)
    theirs = pycoco.encode(np.asfortranarray(mask, dtype=np.uint8))
    assert code == {"size": theirs["size"], "counts": theirs["counts"].decode()}
    assert np.array_equal(decoded(code), mask)
    uncompressed = {"size": list(mask.shape), "counts": rle_counts(mask)}
    assert np.array_equal(decoded(pycoco.frPyObjects(uncompressed, *mask.shape)), mask)
    assert np.array_equal(decode_rle(code), mask)
    assert np.array_equal(decode_rle(uncompressed), mask)


@pytest.mark.parametrize("shape", [(3000, 4000), (1, 65500), (65500, 1)])
def test_long_runs(shape):
    mask = np.zeros(shape, bool)
    mask[: shape[0] // 2 + 1, 2 * shape[1] // 3 :] = True
    mask[-1, -1] ^= True
    code = encode_rle(mask)
    assert code["counts"] == pycoco.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"].decode()
    assert np.array_equal(decode_rle(code), mask)


@pytest.mark.parametrize(
    "code",
    [
        {"size": [2, 2], "counts": [1, 2]},
        {"size": [2, 2], "counts": [5, -1]},
        {"size": [2], "counts": [4]},
        {"size": [2, 2], "counts": "é"},
        {"size": [2, 2], "counts": "T"},
        {"size": [2, 2], "counts": "PPPPPPPP0"},
        {"size": [2, 2], "counts": None},
        {"size": [2, 2]},
    ],
)
def test_damaged_codes_of_coco_are_refused(code):
    with pytest.raises(ValueError, match="run"):
        decode_rle(code)


@pytest.mark.parametrize("case", BRUSHES, ids=lambda case: f"{case['width']}x{case['height']}")
def test_brushes_are_those_of_label_studios_converter(case):
    mask = mask_from_counts(case["counts"], case["height"], case["width"])
    assert encode_brush(mask) == case["rle"]
    assert np.array_equal(decode_brush(case["rle"], *mask.shape), mask)


@settings(max_examples=50, deadline=None)
@given(MASKS)
def test_brushes_come_back(mask):
    assert np.array_equal(decode_brush(encode_brush(mask), *mask.shape), mask)


def test_brushes_with_values_one_by_one_are_read():
    # 4 values of 8 bits, sizes 3 4 8 16; one stretch of four single values of which the last, the opacity, is not 0.
    header = f"{4:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"
    bits = header + "000" + f"{3:03b}" + "".join(f"{value:08b}" for value in (9, 0, 0, 1))
    bits += "0" * (-len(bits) % 8)
    code = [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]
    assert decode_brush(code, 1, 1).tolist() == [[True]]
    with pytest.raises(ValueError, match="4 values"):
        decode_brush(code, 2, 1)
    with pytest.raises(ValueError, match="cut off"):
        decode_brush(code[:-1], 1, 1)
