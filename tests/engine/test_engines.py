"""Every engine does every unit once, names what failed, and replaces the workers that it loses."""

import functools
import subprocess
import sys
import time
from pathlib import Path

import pytest

import engine_workers
from diffusionseg.engine import LOCAL, Engine, Failure, WorkerLost, parse_engine, run_units

TWO = Engine("processes", 2)
UNITS = [("square", n) for n in range(5)]


def run(engine, folder, units, **options):
    return run_units(engine, functools.partial(engine_workers.obedient, str(folder)), units, **options)


def begun(folder):
    return (folder / "begun").read_text().splitlines()


def test_engines_are_named_as_documented():
    assert parse_engine("local") == LOCAL
    assert parse_engine("processes:3") == Engine("processes", 3)
    assert parse_engine("ray", 4) == Engine("ray", 4)
    assert parse_engine("ray:head:6379") == Engine("ray", None, "head:6379")
    for wrong in ("processes", "processes:", "processes:0", "processes:two", "local:2", "slurm"):
        with pytest.raises(ValueError, match="--engine"):
            parse_engine(wrong)


@pytest.mark.parametrize("engine", [LOCAL, TWO], ids=lambda engine: engine.kind)
def test_every_unit_is_done_once_and_failures_are_named(engine, tmp_path):
    told = []
    units = [*UNITS, ("raise", 5), ("raise odd", 6), ("busy once", 7)]
    found = dict(run(engine, tmp_path, units, heard=told.append))
    assert {unit: found.pop(unit) for unit in UNITS} == {unit: unit[1] ** 2 for unit in UNITS}
    assert found.pop(("busy once", 7)) == 49
    assert isinstance(found["raise", 5].error, ValueError)
    assert {str(failure).partition(": ")[2] for failure in found.values()} >= {"cannot do 5"}
    assert str(found["raise odd", 6]).endswith("Odd: 1 6") or str(found["raise odd", 6]) == "Odd: 1 6"
    assert sorted(told) == [0, 1, 2, 3, 4, 5, 6, 7, 7]
    assert len(begun(tmp_path)) == len(units) + 1


def test_local_keeps_the_order(tmp_path):
    assert [unit for unit, _ in run(LOCAL, tmp_path, UNITS)] == UNITS


def test_nothing_to_do_makes_no_worker():
    for engine in (LOCAL, TWO, Engine("ray")):
        assert list(run_units(engine, engine_workers.unmakeable, [])) == []


def test_a_lost_worker_is_replaced_and_its_unit_tried_again_but_not_for_ever(tmp_path):
    units = [("die once", 9), ("die", 8), *UNITS]
    found = dict(run(TWO, tmp_path, units))
    assert len(found) == len(units)
    assert found["die once", 9] == 81
    assert isinstance(found["die", 8], Failure)
    assert str(found["die", 8]) == "WorkerLost: 3 workers were lost over it, the last: killed by signal 9"
    assert begun(tmp_path).count("die 8") == 3
    assert all(found[unit] == unit[1] ** 2 for unit in UNITS)


def test_a_worker_that_cannot_be_made_ends_the_run():
    for engine in (LOCAL, TWO):
        with pytest.raises(ValueError, match="no such model"):
            list(run_units(engine, engine_workers.unmakeable, UNITS))
    with pytest.raises(WorkerLost, match="before its first unit: killed by signal 9"):
        list(run_units(TWO, engine_workers.stillborn, UNITS))


def test_processes_share_the_cores_and_set_their_threads_before_torch(tmp_path):
    found = [share for _, share in run(TWO, tmp_path, [("share", n) for n in range(4)])]
    for number, workers, cores, threads in found:
        assert number in (0, 1)
        assert (workers, threads) == (2, str(cores))


def test_leaving_early_stops_the_workers_and_lets_them_clean_up(tmp_path):
    def interrupt(told):
        if told == "asleep":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(run(TWO, tmp_path, [("square", 1), ("sleep", 0)], heard=interrupt))
    assert "sleep 0" in begun(tmp_path)
    assert not (tmp_path / "half").exists()


SCRIPT = """
import functools, sys
sys.path.insert(0, {tests!r})
import engine_workers
from diffusionseg.engine import Engine, Terminated, run_units, sigterm_interrupts
if __name__ == "__main__":
    try:
        with sigterm_interrupts():
            list(run_units(Engine({kind!r}, 1), functools.partial(engine_workers.obedient, {folder!r}), [("sleep", 0)]))
    except Terminated:
        sys.exit(7)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize(("kind", "signal"), [("processes", 15), ("processes", 9), ("local", 15)])
def test_no_worker_outlives_a_driver_that_is_stopped_or_killed(kind, signal, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent.parent), folder=str(tmp_path), kind=kind))
    with subprocess.Popen([sys.executable, str(script)], stderr=subprocess.PIPE, text=True) as driver:
        deadline = time.monotonic() + 60
        while not (tmp_path / "half").exists() and driver.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        driver.send_signal(signal)
        # Only ends once every process that holds the pipe has gone, workers too.
        errors = driver.communicate(timeout=30)[1]
    assert driver.returncode == (7 if signal == 15 else -signal), errors
    assert (tmp_path / "half").exists() == (signal == 9)
    assert "Traceback" not in errors
