"""Folders and object stores keep the same promises; what cannot be reached is named."""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.registry import _registry

from diffusionseg.data import claim_name, claims, open_store
from diffusionseg.data.folder_store import FolderStore
from diffusionseg.data.object_store import ObjectStore


@pytest.fixture(scope="module")
def bucket():
    """URL of an empty bucket of an S3 server in this process, where the packages for it are installed."""
    s3fs = pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": "http://{}:{}".format(*server.get_host_and_port()),
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem().mkdir("bucket")
        yield "s3://bucket"
    server.stop()


def place(kind, request):
    """An empty place: a folder, fsspec's own view of a folder, fsspec's memory, or S3."""
    path = request.getfixturevalue("tmp_path")
    if kind == "fsspec":
        return ObjectStore(f"local://{path}", LocalFileSystem(), str(path))
    if kind == "s3":
        return open_store(f"{request.getfixturevalue('bucket')}{path}")
    return open_store(path if kind == "folder" else f"memory:/{path}/set/")


@pytest.fixture(params=["folder", "fsspec", "memory", "s3"])
def store(request):
    return place(request.param, request)


@pytest.fixture(params=["fsspec", "memory", "s3"])
def remote(request):
    return place(request.param, request)


def free(store, name="a"):
    with store.claimed(name) as mine:
        return mine


def plant(store, host, process, age=0.0):
    claim = {"host": host, "process": process, "renewed": time.time() - age}
    store.write(claim_name("a"), json.dumps(claim).encode())


def test_what_is_written_is_there_until_it_is_removed(store):
    assert store.names() == []
    assert not store.has("a")
    before = time.time() - 2
    store.write("a", b"one")
    store.write("b", b"")
    store.write("a", b"other")
    assert store.names() == ["a", "b"]
    assert store.exists()
    assert store.has("a")
    assert before < store.modified("a") < time.time() + 2
    assert store.read("a") == b"other"
    with store.open("a") as file:
        file.seek(2)
        assert file.read(2) == b"he"
    store.remove("a")
    store.remove("a")
    assert store.names() == ["b"]


def test_without_replace_the_first_content_stays(store):
    store.write("a", b"one", replace=False)
    store.write("a", b"two", replace=False)
    assert store.read("a") == b"one"


def test_the_same_place_in_another_process(store):
    store.write("a", b"one")
    again = pickle.loads(pickle.dumps(store))
    assert str(again) == str(store)
    assert again.read("a") == b"one"


def test_what_is_missing_is_named(store):
    for ask in (store.read, store.open, store.modified):
        with pytest.raises(FileNotFoundError, match="missing") as caught:
            ask("missing")
        assert caught.value.filename in (store.address("missing"), Path(store.address("missing")))
    with pytest.raises(ValueError, match=r"missing: No such file or directory") as caught:
        store.read_json("missing")
    assert str(caught.value).startswith(store.address("missing"))


def test_of_two_claimants_one_wins(store):
    with store.claimed("a") as mine:
        assert mine
        assert not free(store)
        assert store.names() == [".a.claim"]
    assert store.names() == []
    with pytest.raises(RuntimeError, match="work"), store.claimed("a"):
        raise RuntimeError("work")
    assert free(store)


def test_the_claim_of_the_dead_and_of_the_silent_is_taken_over(remote):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    for host, number, age, void in (
        ("elsewhere", 1, 0, False),
        ("elsewhere", 1, claims.LEASE + 1, True),
        # Written by a clock that is far ahead.
        ("elsewhere", 1, -claims.LEASE - 60, True),
        (socket.gethostname(), os.getpid(), 0, False),
        (socket.gethostname(), process.pid, 0, os.name == "posix"),
    ):
        plant(remote, host, number, age)
        assert free(remote) is void
    remote.write(claim_name("a"), b"[")
    assert free(remote)


def test_claims_are_renewed(remote, monkeypatch):
    monkeypatch.setattr(claims, "LEASE", 0.04)
    with remote.claimed("a"):
        plant(remote, "elsewhere", 1, age=1000)
        deadline = time.monotonic() + 20
        while b"elsewhere" in remote.read(claim_name("a")) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert b"elsewhere" not in remote.read(claim_name("a"))


class Picky(LocalFileSystem):
    """Says neither that a file is there nor what fails in Python's own words; may know no exclusive creation."""

    cachable = False
    exclusive = True

    def pipe_file(self, path, value, mode="overwrite", **kwargs):
        if mode == "create" and (not self.exclusive or Path(path).exists()):
            raise RuntimeError("412 precondition failed" if self.exclusive else "501 not implemented")
        super().pipe_file(path, value)

    def info(self, path, **kwargs):
        if path.endswith("unreachable"):
            raise TimeoutError("no answer")
        return super().info(path, **kwargs)


class Remembering(LocalFileSystem):
    """Keeps its listings, as those of most object stores do."""

    cachable = False

    def __init__(self):
        super().__init__()
        self.listings = {}

    def ls(self, path, detail=False, **kwargs):
        return self.listings.setdefault(path, super().ls(path, detail, **kwargs))

    def info(self, path, **kwargs):
        if path not in self.listings.get(self._parent(path), [path]):
            raise FileNotFoundError(path)
        return super().info(path, **kwargs)

    def invalidate_cache(self, path=None):
        self.listings.clear()


@pytest.mark.parametrize("exclusive", [True, False])
def test_stores_that_refuse_in_their_own_words_or_create_nothing_exclusively(exclusive, tmp_path):
    files = Picky()
    files.exclusive = exclusive
    store = ObjectStore("picky://set", files, str(tmp_path))
    store.write("a", b"one", replace=False)
    store.write("a", b"two", replace=False)
    assert store.read("a") == b"one"
    with store.claimed("b") as mine:
        assert mine
        assert not free(store, "b")


def test_a_failing_network_is_no_answer(tmp_path):
    store = ObjectStore("picky://set", Picky(), str(tmp_path))
    with pytest.raises(OSError, match=r"TimeoutError: no answer: 'picky://set/unreachable'"):
        store.has("unreachable")


def test_a_work_that_is_done_does_not_fail_over_its_claim(tmp_path, monkeypatch):
    store = ObjectStore("picky://set", Picky(), str(tmp_path))

    def fail(self, path):
        raise RuntimeError("no answer")

    monkeypatch.setattr(Picky, "rm_file", fail)
    assert free(store)


def test_paths_and_file_urls_are_folders(tmp_path):
    store = open_store(tmp_path)
    assert open_store(store) is store
    for where in (tmp_path, str(tmp_path), f"file://{tmp_path}", f"local://{tmp_path}"):
        assert isinstance(open_store(where), FolderStore)
        assert open_store(where).local == tmp_path
    assert open_store("memory://a").local is None


@pytest.mark.parametrize(
    ("url", "said"), [("nonsense://a", "nonsense"), ("s3://bucket/set", "s3fs"), ("gs://bucket/set", "gcsfs")]
)
def test_protocols_that_are_unknown_or_lack_their_package_are_named(url, said, monkeypatch):
    for protocol, package in (("s3", "s3fs"), ("gs", "gcsfs")):
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.delitem(_registry, protocol, raising=False)
    with pytest.raises(ValueError, match=said) as caught:
        open_store(url)
    assert str(caught.value).startswith(f"{url}: ")


def test_what_other_processes_write_is_seen(tmp_path):
    store = ObjectStore("forgetful://set", Remembering(), str(tmp_path))
    assert store.names() == []
    assert not store.has("a")
    (tmp_path / "a").write_bytes(b"")
    assert store.names() == ["a"]
    assert store.has("a")
