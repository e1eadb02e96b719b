"""Memory that runs out, numbers that float16 cannot hold, full disks: fewer at a time, the same bytes, no half set."""

import dataclasses
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from diffusionseg.backbone import overflow
from diffusionseg.backbone.random_models import tiny_backbone
from diffusionseg.memory import OutOfMemory
from diffusionseg.synthesis import GateConfig, SynthesisConfig, fill_places, places, sampling, synthesize_set
from diffusionseg.synthesis.sampling import draft, synthesize_group
from hostile import contents, full_disk

OPEN = GateConfig(min_area=0, max_area=1, max_border=1, max_ignore=1, min_agreement=0)
# Pictures of half the size, whose cuts take a tenth of the time.
CONFIG = SynthesisConfig(steps=2, image_size=32, attempts=1, reread_noises=1, reread_timesteps=(500,), gate=OPEN)
NAMES = ("cat", "dog house")


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone("sd1")


def filled(backbone, count=4, **options):
    return [p.pair.encoded() for p in fill_places(backbone, NAMES, range(count), 3, CONFIG, **options)]


@pytest.fixture(scope="module")
def expected(backbone):
    return filled(backbone)


def test_fewer_calls_side_by_side_where_memory_runs_out_give_the_same_bytes(backbone, expected, monkeypatch, caplog):
    real, lock, running = places._fill_group, threading.Lock(), []

    def fill(*arguments):
        with lock:
            running.append(1)
        try:
            # Threads overlap here as they do in a U-Net.
            time.sleep(0.05)
            if len(running) > 1:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
            return real(*arguments)
        finally:
            running.pop()

    monkeypatch.setattr(places, "_fill_group", fill)
    assert filled(backbone, cores=4, batch_size=4) == expected
    assert [r.getMessage() for r in caplog.records] == [
        "out of memory with 4 U-Net calls at a time; going on with 2",
        "out of memory with 2 U-Net calls at a time; going on with 1",
    ]


def test_a_single_call_too_large_for_the_memory_fails_with_what_helps(backbone, tmp_path, monkeypatch):
    def fill(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(places, "_fill_group", fill)
    config = dataclasses.replace(CONFIG, call_size=2)
    with pytest.raises(OutOfMemory, match=r"^out of memory with one .*--image-size, or --call-size below 2 .*--dtype"):
        synthesize_set(backbone, NAMES, tmp_path, count=2, config=config)
    assert [p.name for p in tmp_path.iterdir()] == ["manifest.json"]


def test_pairs_that_overflow_in_float16_are_made_in_float32_whatever_is_in_flight(caplog):
    overflow._tell.cache_clear()
    half = tiny_backbone("sd1")
    with torch.no_grad():
        half.unet.conv_in.weight.mul_(3e5)
    half.to(dtype=torch.float16)
    found = filled(half, 2, batch_size=1, cores=1)
    assert filled(half, 2, batch_size=4, cores=2) == found
    assert caplog.text.count("gave no numbers in float16") == 1
    assert found == filled(overflow.in_float32(half), 2)


def test_only_rows_that_overflowed_come_from_the_call_in_float32(monkeypatch):
    half = tiny_backbone("sd1").to(dtype=torch.float16)
    config = dataclasses.replace(CONFIG, call_size=2)
    drafts = [draft(0, i, 0, "cat") for i in range(2)]
    narrow = synthesize_group(half, drafts, config)
    wide = synthesize_group(overflow.in_float32(half), drafts, config)
    draw = sampling._draw

    def second_lost(backbone, *rest):
        pixels, readings, usable = draw(backbone, *rest)
        if backbone.dtype == torch.float16:
            maps = readings[0].maps
            next(iter(maps.self_.values()))[1, 0, 0] = float("nan")
            usable = maps.usable()
        return pixels, readings, usable

    monkeypatch.setattr(sampling, "_draw", second_lost)
    found = synthesize_group(half, drafts, config)
    for one, other in ((found[0], narrow[0]), (found[1], wide[1])):
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.attention, other.attention)
        assert np.array_equal(one.mask, other.mask)


def test_a_full_disk_fails_shards_by_name_and_the_next_run_makes_them(backbone, tmp_path):
    options = {"count": 2, "shard_size": 1, "seed": 3, "config": CONFIG}
    synthesize_set(backbone, NAMES, tmp_path / "whole", **options)
    # Shards are of equal size, since archives come in blocks; only a smaller limit than one lets none pass.
    with full_disk(5_000), pytest.raises(OSError, match=r"File too large: '.*shard-000000\.tar'"):
        synthesize_set(backbone, NAMES, tmp_path / "set", **options)
    with full_disk(5_000):
        summary = synthesize_set(backbone, NAMES, tmp_path / "set", max_failures=9, **options)
    assert len(summary.failures) == 2
    assert [p.name for p in (tmp_path / "set").iterdir()] == ["manifest.json"]
    synthesize_set(backbone, NAMES, tmp_path / "set", **options)
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")


def test_an_accelerator_draws_while_the_last_images_are_cut(backbone, expected, monkeypatch):
    real_draw, real_pair = places.draw_group, places.make_pair
    drawing, alone, drawn = threading.Semaphore(1), [], [threading.Event() for _ in range(4)]

    class Accelerated:
        """Computes where the generator is, and says otherwise."""

        device = SimpleNamespace(type="cuda")

        def __getattr__(self, name):
            return getattr(backbone, name)

    def draw(replica, drafts, config):
        alone.append(drawing.acquire(blocking=False))
        try:
            return real_draw(replica, drafts, config)
        finally:
            drawing.release()
            drawn[drafts[0].index].set()

    def pair(one, *arguments):
        # No cut ends before the next image is there.
        assert one.index == 3 or drawn[one.index + 1].wait(30)
        return real_pair(one, *arguments)

    monkeypatch.setattr(places, "draw_group", draw)
    monkeypatch.setattr(places, "make_pair", pair)
    made = fill_places(Accelerated(), NAMES, range(4), 3, CONFIG)
    assert [p.pair.encoded() for p in made] == expected
    assert alone == [True] * 4
