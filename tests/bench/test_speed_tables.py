"""What the benchmarks of speed keep, and what `benchmarks/speed.py` makes of it."""

import importlib.util
import sys
from pathlib import Path

import pytest
from PIL import Image

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """A benchmark as a module, found as its own folder finds it."""

    def load(name):
        spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load


def test_ratios_aims_and_limits(script, tmp_path):
    records = script("records")
    # A machine that gets ten times slower after the first round.
    paired = records.Table("a", "s", {"plain": [1, 10, 10], "ours": [2, 20, 30]}, "plain", {"ours": 2.0})
    assert paired.ratio("ours") == 2
    assert paired.reached("ours") is True
    assert paired.reached("plain") is None
    apart = records.Table("b", "ms", {"plain": [1, 10, 10], "ours": [4, 6]}, "plain", {}, {"ours": 4.5}, paired=False)
    assert apart.ratio("ours") == 0.5
    assert apart.reached("ours") is False
    rates = records.Table("c", "photographs/s", {"plain": [10], "ours": [40]}, "plain", {}, {"ours": 30}, True, True)
    assert rates.reached("ours") is True
    records.write_tables(tmp_path / "kept.json", [paired, apart, rates])
    assert records.read_tables(tmp_path / "kept.json") == [paired, apart, rates]


def test_table_and_picture(script, tmp_path):
    records, speed = script("records"), script("speed")
    table = records.Table("Drawing", "s", {"plain": [2.0], "ours": [2.2], "other": [1.0]}, "plain", {"ours": 1.05})
    bench = {
        "matrix_rate": 5e10,
        "cores": 2,
        "dtype": "float32",
        "device": "cpu",
        "steps": [
            {"name": "U-Net call", "seconds": 0.06, "floor": 0.03},
            {"name": "AttentionCut", "seconds": 0.007, "floor": None},
        ],
    }
    text = speed.markdown([table], bench)
    assert "2 cores, 50 GFLOP/s" in text
    assert "| ours | 2.2 (2.2 to 2.2) | 1.1 | 1.05 times | not reached |" in text
    assert "| other | 1 (1 to 1) | 0.5 |  |  |" in text
    assert "| U-Net call | 60 | 30 | 2.00 |" in text
    assert "| AttentionCut | 7 |  |  |" in text
    speed.picture([table, table], tmp_path / "speed.png")
    with Image.open(tmp_path / "speed.png") as drawn:
        assert min(drawn.size) > 100
