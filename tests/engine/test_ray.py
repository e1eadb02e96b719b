"""Units on Ray actors, one of which is killed on the way."""

import functools
import os
import sys
from pathlib import Path

import pytest

import engine_workers
from diffusionseg.engine import LOCAL, Engine, check_engine, run_units

TWO = Engine("ray", 2)


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    check_engine(LOCAL)
    with pytest.raises(ValueError, match=r"pip install 'diffusionseg\[ray\]'"):
        check_engine(TWO)
    with pytest.raises(ValueError, match=r"pip install 'diffusionseg\[ray\]'"):
        list(run_units(TWO, engine_workers.unmakeable, [1]))


@pytest.fixture(scope="module")
def cluster():
    """Two machines with a core each, as far as Ray can tell."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_AUTH_MODE"] = "disabled"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    path = {"env_vars": {"PYTHONPATH": str(Path(__file__).parent.parent)}}
    ray.init(address=cluster.address, runtime_env=path, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


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


@pytest.mark.slow
@pytest.mark.filterwarnings("default::ResourceWarning", "default::pytest.PytestUnraisableExceptionWarning")
def test_a_machine_may_go_and_come_on_the_way(cluster, tmp_path):
    units = [("nap", n) for n in range(12)]
    make = functools.partial(engine_workers.obedient, str(tmp_path))
    results = []
    for result in run_units(TWO, make, units):
        results.append(result)
        if len(results) in (4, 8):
            (machine,) = cluster.worker_nodes
            cluster.remove_node(machine, allow_graceful=False)
        if len(results) == 6:
            cluster.add_node(num_cpus=1)
    assert sorted(results) == [(unit, unit[1] ** 2) for unit in units]
