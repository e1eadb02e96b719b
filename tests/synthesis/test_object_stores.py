"""A set in an object store is, byte for byte, the set in a folder; resumed, refused, told of and trained on alike."""

import hashlib
import json
import os
import socket
import time

import pytest
from fsspec.implementations.local import LocalFileSystem

from diffusionseg.backbone import Backbone
from diffusionseg.backbone.random_models import tiny_backbone
from diffusionseg.data import ManifestMismatch, ShardError, StoredPairs, claim_name, open_store, read_shards
from diffusionseg.data.object_store import ObjectStore
from diffusionseg.engine import LOCAL, Engine
from diffusionseg.exploitation import DecoderConfig, TrainConfig, train
from diffusionseg.status import folder_status
from diffusionseg.synthesis import GateConfig, SynthesisConfig, finished_places, synthesize_set

OPEN = GateConfig(min_area=0, max_area=1, max_border=1, max_ignore=1, min_agreement=0)
CONFIG = SynthesisConfig(steps=1, guidance=1.0, attempts=1, reread_noises=0, gate=OPEN)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tiny_backbone("sd1").save_pretrained(folder)
    return Backbone.from_pretrained(folder, device="cpu")


def make(backbone, out, engine=LOCAL, **options):
    settings = {"count": 3, "seed": 3, "config": CONFIG, "shard_size": 1, **options}
    return synthesize_set(backbone, ("cat", "dog house"), out, engine=engine, **settings)


def digests(where):
    store = open_store(where)
    return {name: hashlib.sha256(store.read(name)).hexdigest() for name in store.names()}


@pytest.fixture(scope="module")
def folder(backbone, tmp_path_factory):
    """The set in a folder."""
    out = tmp_path_factory.mktemp("local") / "set"
    make(backbone, out)
    return out


@pytest.fixture
def url(tmp_path):
    """A place of fsspec's memory that nobody has used yet."""
    return f"memory:/{tmp_path}/set"


@pytest.fixture
def copied(folder, url):
    """The finished set in memory."""
    store = open_store(url)
    for name in digests(folder):
        store.write(name, (folder / name).read_bytes())
    return store


def test_a_set_in_memory_or_at_a_file_url_is_the_set_in_a_folder(backbone, folder, url, tmp_path):
    filled = []
    summary = make(backbone, url, report=lambda place: filled.append(place.index))
    assert (summary.samples, summary.made, filled) == (3, 3, [0, 1, 2])
    make(backbone, f"file://{tmp_path}/set")
    assert digests(url) == digests(tmp_path / "set") == digests(folder)
    assert list(read_shards(url)) == list(read_shards(folder))


@pytest.mark.slow
def test_processes_fill_an_object_store_with_the_same_bytes(backbone, folder, tmp_path):
    # Not through open_store, to which this would be a folder.
    store = ObjectStore(f"file://{tmp_path}", LocalFileSystem(), str(tmp_path))
    assert make(backbone, store, Engine("processes", 2)).made == 3
    assert digests(tmp_path) == digests(folder)


def test_memory_is_refused_where_workers_are_other_processes(backbone, url):
    with pytest.raises(ValueError, match="lies in the memory of one process; --engine processes needs") as caught:
        make(backbone, url, Engine("processes", 2))
    assert str(caught.value).startswith(url)
    assert open_store(url).names() == []


def test_an_archive_without_sidecar_is_not_read_and_made_again(backbone, folder, copied):
    copied.write("shard-000001.tar", b"half of an archi")
    copied.remove("shard-000001.json")
    assert [sample.index for sample in read_shards(copied)] == [0, 2]
    assert folder_status(copied).done == 2
    assert make(backbone, str(copied)).made == 1
    assert digests(copied) == digests(folder)


def test_an_interrupted_set_is_gone_on_with(backbone, folder, url, monkeypatch):
    store, write = open_store(url), ObjectStore.write

    def killed(self, name, content, **options):
        if name == "shard-000001.json":
            raise KeyboardInterrupt
        write(self, name, content, **options)

    monkeypatch.setattr(ObjectStore, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        make(backbone, url)
    monkeypatch.undo()
    assert store.names() == ["manifest.json", "shard-000000.json", "shard-000000.tar", "shard-000001.tar"]
    assert finished_places(url, 3, 1) == 1
    found = folder_status(url)
    assert (found.done, found.total, found.in_hand, found.samples, found.finished) == (1, 3, 0, 1, False)
    assert found.resume.endswith(f"--out {url}")
    written = store.modified("shard-000000.tar")
    assert make(backbone, url).made == 2
    assert store.modified("shard-000000.tar") == written
    assert digests(url) == digests(folder)
    assert folder_status(url, verify=True).finished


def test_a_shard_that_another_machine_makes_is_left_to_it(backbone, folder, url):
    store, claim = open_store(url), claim_name("shard-000000.tar")
    store.write(claim, json.dumps({"host": "elsewhere", "process": 1, "renewed": time.time()}).encode())
    filled = []

    def report(place):
        filled.append(place.index)
        if place.index == 2:
            # The other machine is gone, and with it what renewed its claim.
            store.write(claim, json.dumps({"host": "elsewhere", "process": 1, "renewed": 0}).encode())

    assert make(backbone, url, report=report).made == 3
    assert filled == [1, 2, 0]
    assert digests(url) == digests(folder)


def test_claims_of_killed_workers_are_cleared_away_in_the_end(backbone, folder, copied):
    owner = {"host": socket.gethostname(), "process": os.getpid(), "renewed": time.time()}
    copied.write(claim_name("shard-000001.tar"), json.dumps(owner).encode())
    assert make(backbone, copied).made == 0
    assert digests(copied) == digests(folder)


def test_another_set_is_refused_and_what_differs_named(backbone, folder, copied):
    with pytest.raises(ManifestMismatch, match=r"seed is 3, asked for 4") as caught:
        make(backbone, copied, seed=4)
    assert str(caught.value).startswith(f"{copied}: holds another set")
    assert digests(copied) == digests(folder)
    copied.remove("manifest.json")
    with pytest.raises(ManifestMismatch, match="shards but no manifest"):
        make(backbone, copied)
    assert make(backbone, copied, seed=4, overwrite=True, count=1).made == 1
    assert copied.names() == ["manifest.json", "preview.png", "shard-000000.json", "shard-000000.tar"]


def test_a_damaged_shard_is_named_by_its_url(copied, tmp_path):
    content = bytearray(copied.read("shard-000001.tar"))
    content[600] ^= 1
    copied.write("shard-000001.tar", bytes(content))
    said = f"{copied}/shard-000001.tar: does not match the checksum"
    (fault,) = folder_status(copied, verify=True).failed
    assert fault.startswith(said)
    with pytest.raises(ShardError, match=said):
        list(read_shards(copied))
    with pytest.raises(ShardError, match=said):
        StoredPairs([copied], tmp_path)


def test_places_without_a_set_are_refused(url):
    with pytest.raises(ValueError, match=f"{url}: no such folder"):
        folder_status(url)
    with pytest.raises(ShardError, match=f"{url}: no such folder"):
        list(read_shards(url))


def test_pairs_are_copied_once_and_follow_the_set(backbone, folder, copied, tmp_path, monkeypatch):
    with pytest.raises(ShardError, match="name a folder for its copy"):
        StoredPairs([copied])
    read, fetched = ObjectStore.read, []

    def counted(self, name):
        fetched.append(name)
        return read(self, name)

    monkeypatch.setattr(ObjectStore, "read", counted)
    pairs = StoredPairs([copied, folder], tmp_path)
    assert pairs.sha256 == StoredPairs([folder, folder]).sha256
    for (image, mask), sample in zip(pairs, [*read_shards(folder)] * 2, strict=True):
        assert (image == sample.image_array()).all()
        assert (mask == sample.mask_array()).all()
    assert sum(name.endswith(".tar") for name in fetched) == 3
    fetched.clear()
    assert len(StoredPairs([copied], tmp_path)) == 3
    assert sorted(fetched) == [f"shard-00000{n}.json" for n in range(3)]
    make(backbone, copied, seed=4, overwrite=True, count=2)
    assert StoredPairs([copied], tmp_path).sha256 == StoredPairs([copied], tmp_path / "new").sha256


def test_a_decoder_trained_on_a_remote_set_is_the_one_of_its_local_copy(backbone, folder, copied, tmp_path, one_thread):
    config = TrainConfig(steps=3, batch_size=2, views=1, held_out=0)
    for name, pairs in (("local", StoredPairs([folder])), ("remote", StoredPairs([copied], tmp_path / "cache"))):
        train(backbone, pairs, tmp_path / name, decoder_config=DecoderConfig(width=16), train_config=config)
    for file in ("decoder.safetensors", "metrics.jsonl", "run.json"):
        assert (tmp_path / "local" / file).read_bytes() == (tmp_path / "remote" / file).read_bytes()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("synth --classes cat --out nonsense://a/b", "nonsense://a/b: Protocol not known: nonsense"),
        ("status nonsense://a/b", "nonsense://a/b: Protocol not known: nonsense"),
        ("train pairs --out memory://run", "memory://run: must be a folder"),
    ],
)
def test_the_command_line_names_what_cannot_be_used(cli, tmp_path, command, said):
    done = cli(command, tmp_path)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []
