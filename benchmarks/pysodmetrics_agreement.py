"""Are our measures those of PySODMetrics? Its pins clash with ours, so it is installed in an environment of its own.

Measures 200 random pairs, with empty, full and one-pixel masks and predictions among them, and real pairs where
folders are given. Prints the largest difference per measure; exit status 1 where one is above 1e-6. `--freeze` writes
its values for the random pairs, which the tests compare with.

    python benchmarks/pysodmetrics_agreement.py --pred predictions --masks ECSSD/masks
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import numpy as np

from diffusionseg.data import find_masks
from diffusionseg.evaluation import MeasureAccumulator, SaliencyAccumulator
from diffusionseg.evaluation.folders import prediction_of
from diffusionseg.evaluation.pairs import read_ground_truth, read_prediction

PACKAGE = "pysodmetrics==1.6.2"
TOLERANCE = 1e-6
PAIRS = 200

THEIRS = """
import json, sys
import numpy as np
import py_sod_metrics as m

out = []
data = np.load(sys.argv[1])
for number in range(len(data.files) // 2):
    pred, gt = data[f"pred{number}"], data[f"gt{number}"]
    kinds = {"with_dynamic": True, "with_adaptive": True, "with_binary": True}
    f = m.FmeasureV2({
        "f": m.FmeasureHandler(**kinds, beta=0.3), "p": m.PrecisionHandler(**kinds), "r": m.RecallHandler(**kinds),
        "iou": m.IOUHandler(**kinds), "acc": m.OverallAccuracyHandler(**kinds),
    })
    each = [f, m.MAE(), m.Smeasure(), m.Emeasure(), m.WeightedFmeasure()]
    for one in each:
        one.step(pred, gt)
    f, mae, s, e, w = [one.get_results() for one in each]
    out.append({
        "acc": f["acc"]["binary"], "iou": f["iou"]["binary"], "mae": mae["mae"], "s_measure": s["sm"],
        "weighted_f": w["wfm"], "f_adaptive": f["f"]["adaptive"], "f_max": f["f"]["dynamic"].max(),
        "f_mean": f["f"]["dynamic"].mean(), "e_adaptive": e["em"]["adp"], "e_max": e["em"]["curve"].max(),
        "e_mean": e["em"]["curve"].mean(), "precision": f["p"]["dynamic"][::-1].tolist(),
        "recall": f["r"]["dynamic"][::-1].tolist(),
    })
json.dump(out, open(sys.argv[2], "w"), default=float)
"""


def random_pair(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Prediction and ground truth, uint8 levels (H, W), of a number; six tenths of each kind are extreme.

    Drawn from a hash and without transcendental functions, so that every machine has the same pairs.
    """
    draw = np.frombuffer(hashlib.shake_256(b"%d" % number).digest(6 + 2 * 60 * 60), dtype=np.uint8).astype(np.int64)
    height, width = 5 + draw[:2] % 55
    y, x = np.mgrid[:height, :width]
    centre_y, centre_x, size_y, size_x = (1 + draw[2:6]) / 256 * (height, width, height, width)
    distance = ((y - centre_y) / (1 + size_y)) ** 2 + ((x - centre_x) / (1 + size_x)) ** 2
    one, other = draw[6:].reshape(2, -1)[:, : height * width].reshape(2, height, width)
    truth = np.where(distance < 0.3, 255, 0).astype(np.uint8)
    prediction = np.clip(255 / (1 + 4 * distance) + (one - 128) / 2, 0, 255).astype(np.uint8)
    for kind, array, noise in ((number % 10, truth, other), (number // 10 % 10, prediction, one)):
        if kind in (0, 1, 2):
            array[:] = 255 * (kind == 1)
        if kind == 2:
            array[noise[0, 0] % height, noise[0, 1] % width] = 255
        elif kind == 3:
            array[:] = noise
        elif kind == 4:
            array[:] = noise[0, 0]
        elif kind == 5:
            array[:] = 255 * (noise > 127)
    return prediction, truth


def ours(prediction: np.ndarray, truth: np.ndarray) -> dict:
    """Our values for one pair, under their names."""
    masks, further = SaliencyAccumulator("pysod"), MeasureAccumulator(["mae", "f", "e", "s", "weighted-f", "pr"])
    masks.update(prediction, truth)
    further.update(prediction, truth)
    return {**{k: v for k, v in masks.result().items() if k in ("acc", "iou")}, **further.result()}


def real_pairs(predictions: Path, masks: Path, limit: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs from disk as uint8 levels."""
    pairs = []
    for stem, path in find_masks(masks):
        found = prediction_of(predictions, stem)
        if found is None or len(pairs) == limit:
            continue
        truth = read_ground_truth(path, "protocol")
        levels, _ = read_prediction(found, truth.shape)
        truth = truth * np.uint8(255) if truth.dtype == bool else truth
        pairs.append((levels, truth))
    return pairs


def theirs(pairs: list[tuple[np.ndarray, np.ndarray]], python: Path, folder: Path) -> list[dict]:
    """PySODMetrics' values for pairs, measured in its own environment."""
    named = {
        f"{kind}{n}": array for n, pair in enumerate(pairs) for kind, array in zip(("pred", "gt"), pair, strict=True)
    }
    np.savez(folder / "pairs.npz", **named)
    (folder / "theirs.py").write_text(THEIRS)
    subprocess.run([python, "-W", "ignore", "theirs.py", "pairs.npz", "theirs.json"], cwd=folder, check=True)
    return json.loads((folder / "theirs.json").read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pred", type=Path, help="folder of real predictions")
    parser.add_argument("--masks", type=Path, help="folder of their ground truth")
    parser.add_argument("--real", type=int, default=100, help="number of real pairs")
    parser.add_argument("--freeze", type=Path, help="write the values of the random pairs to this JSON file")
    args = parser.parse_args()
    if (args.pred is None) != (args.masks is None):
        parser.error("give both of --pred and --masks, or none")
    sets = {"random": [random_pair(number) for number in range(PAIRS)]}
    if args.pred is not None:
        sets["real"] = real_pairs(args.pred, args.masks, args.real)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "env", with_pip=True)
        python = folder / "env" / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", PACKAGE], check=True)
        worst = 0.0
        for kind, pairs in sets.items():
            expected = theirs(pairs, python, folder)
            found = [ours(*pair) for pair in pairs]
            print(f"{kind}: {len(pairs)} pairs against {PACKAGE}")
            for measure in expected[0]:
                gaps = [np.abs(np.subtract(o[measure], t[measure])).max() for o, t in zip(found, expected, strict=True)]
                print(f"  {measure:12} largest difference {max(gaps):.1e}")
                worst = max(worst, *gaps)
            if kind == "random" and args.freeze is not None:
                numbers = [{k: round(v, 9) for k, v in t.items() if not isinstance(v, list)} for t in expected]
                args.freeze.write_text(json.dumps({"source": PACKAGE, "pairs": numbers}) + "\n")
    print(f"largest of all {worst:.1e}, allowed {TOLERANCE:.0e}")
    sys.exit(int(not worst <= TOLERANCE))


if __name__ == "__main__":
    main()
