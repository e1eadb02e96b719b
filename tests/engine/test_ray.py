"""Units on Ray actors, one of which is killed on the way."""

import functools
import os
import sys
from pathlib import Path

import pytest

import engine_workers
from diffusionseg.engine import Engine, run_units

TWO = Engine("ray", 2)


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"pip install 'diffusionseg\[ray\]'"):
        list(run_units(TWO, engine_workers.unmakeable, [1]))


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    path = {"env_vars": {"PYTHONPATH": str(Path(__file__).parent.parent)}}
    ray.init(address="local", num_cpus=2, include_dashboard=False, runtime_env=path, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.mark.slow
# Ray itself leaves files and sockets to the garbage collector.
@pytest.mark.filterwarnings("default::ResourceWarning", "default::pytest.PytestUnraisableExceptionWarning")
def test_every_unit_is_done_once_though_actors_are_killed(cluster, tmp_path):
    told = []
    squares = [("square", n) for n in range(5)]
    units = [("die once", 9), ("die", 8), ("raise", 5), ("busy once", 7), ("share", 0), *squares]
    make = functools.partial(engine_workers.obedient, str(tmp_path))
    results = list(run_units(TWO, make, units, heard=told.append))
    found = dict(results)
    assert len(results) == len(found) == len(units)
    assert all(found[unit] == unit[1] ** 2 for unit in squares)
    assert found["die once", 9] == 81
    assert found["busy once", 7] == 49
    assert "cannot do 5" in str(found["raise", 5])
    assert "WorkerLost: 3 workers were lost over it" in str(found["die", 8])
    assert found["share", 0][1:] == (2, 1, "1")
    assert set(told) >= {0, 1, 2, 3, 4, 5, 7, 9}
    with pytest.raises(ValueError, match="no such model"):
        list(run_units(TWO, engine_workers.unmakeable, squares))
