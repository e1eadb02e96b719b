"""One of several writers gets a file; the dead and the silent lose it."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from diffusionseg.data import atomic_write, claim_path, claimed, claims
from hostile import full_disk


def plant(path, host, process, age=0.0):
    claim = claim_path(path)
    claim.write_text(json.dumps({"host": host, "process": process}))
    os.utime(claim, (time.time() - age,) * 2)


def free(path):
    with claimed(path) as mine:
        return mine


def test_a_claim_holds_while_its_block_runs_and_leaves_nothing(tmp_path):
    path = tmp_path / "new" / "shard-000000.tar"
    with claimed(path) as mine:
        assert mine
        assert not free(path)
        assert not free(path)
    assert list(path.parent.iterdir()) == []
    with pytest.raises(OSError, match="full"), claimed(path):
        raise OSError("full")
    assert free(path)


@pytest.mark.skipif(os.name != "posix", reason="asks for a process by signal 0")
def test_the_claim_of_a_dead_process_of_this_machine_is_void_at_once(tmp_path):
    path = tmp_path / "a"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    plant(path, socket.gethostname(), dead.pid)
    assert free(path)
    assert list(tmp_path.iterdir()) == []


def test_the_claim_of_another_machine_is_void_once_it_is_not_renewed(tmp_path):
    path = tmp_path / "a"
    plant(path, "elsewhere", 1)
    assert not free(path)
    plant(path, "elsewhere", 1, age=claims.LEASE + 1)
    assert free(path)


def test_a_claim_that_is_just_being_written_or_damaged_holds_until_its_lease_ends(tmp_path):
    path = tmp_path / "a"
    for content in ("", "{", "[]"):
        claim_path(path).write_text(content)
        assert not free(path)
        os.utime(claim_path(path), (1, 1))
        assert free(path)


def test_claims_are_renewed(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "LEASE", 0.04)
    path = tmp_path / "a"
    with claimed(path):
        os.utime(claim_path(path), (1, 1))
        deadline = time.monotonic() + 20
        while claim_path(path).stat().st_mtime == 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert claim_path(path).stat().st_mtime > 1


def test_without_replace_the_first_file_stays(tmp_path, monkeypatch):
    path = tmp_path / "manifest.json"
    atomic_write(path, b"one", replace=False)
    atomic_write(path, b"two", replace=False)
    assert path.read_bytes() == b"one"

    def refuse(*_):
        raise PermissionError("no hard links")

    monkeypatch.setattr(type(path), "hardlink_to", refuse)
    atomic_write(path, b"three", replace=False)
    assert path.read_bytes() == b"one"
    atomic_write(tmp_path / "other", b"four", replace=False)
    assert (tmp_path / "other").read_bytes() == b"four"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["manifest.json", "other"]


def test_a_claim_for_which_there_is_no_room_is_none(tmp_path):
    path = tmp_path / "shard-000000.tar"
    with full_disk(5), pytest.raises(OSError, match=r"File too large: '.*shard-000000\.tar\.claim'"), claimed(path):
        pass
    assert list(tmp_path.iterdir()) == []
    with claimed(path) as mine:
        assert mine
