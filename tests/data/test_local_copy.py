"""Several processes copy one set of an object store to one folder: each gets all of it, and none of it twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from diffusionseg.data import ShardError, StoredPairs, open_store, read_shards, write_shard
from diffusionseg.data.folder_store import FolderStore
from diffusionseg.data.local_copy import local_copy
from diffusionseg.data.object_store import ObjectStore
from shard_samples import sample

SHARDS = 24


@pytest.fixture
def remote(tmp_path):
    """A set of 24 shards of one pair each in memory."""
    store = open_store(f"memory:/{tmp_path}/set")
    for number in range(SHARDS):
        write_shard(store, number, [sample(number)], {})
    return store


@pytest.fixture
def fetched(monkeypatch):
    """How often each file of an object store has been read."""
    read, counts = ObjectStore.read, Counter()

    def counted(self, name):
        counts[name] += 1
        return read(self, name)

    monkeypatch.setattr(ObjectStore, "read", counted)
    return counts


@pytest.fixture
def slow_disk(monkeypatch):
    """Files take a while to be written, as on a disk that syncs."""
    write = FolderStore.write

    def slow(self, *args, **options):
        time.sleep(0.01)
        write(self, *args, **options)

    monkeypatch.setattr(FolderStore, "write", slow)


@pytest.mark.parametrize("late", [0.0, 0.015, 0.03])
def test_all_who_copy_at_once_get_every_pair_and_no_shard_is_fetched_twice(remote, tmp_path, fetched, slow_disk, late):
    begun = threading.Barrier(3)

    def opened(number):
        begun.wait()
        time.sleep(number * late)
        return len(StoredPairs([remote], tmp_path / "cache"))

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(opened, range(3))) == [SHARDS] * 3
    assert {name: n for name, n in fetched.items() if name.endswith(".tar") and n != 1} == {}
    (copy,) = (tmp_path / "cache").iterdir()
    assert [path.name for path in copy.iterdir() if path.name.startswith(".")] == []


def test_a_shard_that_another_process_finished_meanwhile_stays_as_it_is(remote, tmp_path, monkeypatch):
    """As where this process slept longer than its claim on the shard held."""
    folder = local_copy(remote, tmp_path / "cache").local
    sidecar = (folder / "shard-000003.json").read_bytes()
    (folder / "shard-000003.json").unlink()
    real, removed = ObjectStore.read, []

    def beaten(self, name):
        content = real(self, name)
        if name == "shard-000003.tar":
            (folder / "shard-000003.json").write_bytes(sidecar)
        return content

    monkeypatch.setattr(ObjectStore, "read", beaten)
    monkeypatch.setattr(FolderStore, "remove", lambda self, name: removed.append(name))
    assert len(StoredPairs([remote], tmp_path / "cache")) == SHARDS
    assert removed == []


def test_a_copy_is_the_shards_of_its_set_and_one_that_went_is_an_error(remote, tmp_path):
    copy = local_copy(remote, tmp_path)
    folder = FolderStore(copy.local)
    write_shard(folder, SHARDS, [sample(SHARDS)], {})
    assert len(list(read_shards(copy))) == SHARDS
    folder.remove("shard-000003.tar")
    with pytest.raises(ShardError, match=r"shard-000003\.tar: No such file"):
        list(read_shards(copy))
    folder.remove("shard-000003.json")
    with pytest.raises(ShardError, match=r"shard-000003\.json: No such file"):
        list(read_shards(copy))


def test_what_a_set_lost_leaves_its_copy_and_what_it_gained_meanwhile_stays(remote, tmp_path, monkeypatch):
    folder = local_copy(remote, tmp_path).local
    for name in ("shard-000003.json", "shard-000003.tar"):
        remote.remove(name)
    listed = ObjectStore.names

    def grown(self):
        names = listed(self)
        # Another process finds a shard that this one's look at the set came too early for, and copies it.
        write_shard(FolderStore(folder), SHARDS, [sample(SHARDS)], {})
        return names

    monkeypatch.setattr(ObjectStore, "names", grown)
    assert len(StoredPairs([remote], tmp_path)) == SHARDS - 1
    assert not (folder / "shard-000003.tar").exists()
    assert (folder / f"shard-0000{SHARDS}.tar").exists()
