"""Sets over HTTP: the same folder as from the command line, and nothing that a client may not know."""

import io
import json
import time
import zipfile
from dataclasses import replace

import pytest

from diffusionseg.synthesis import synthesize_set

SET = {"classes": ["cat", "school bus"], "count": 2, "seed": 5}


def ended(client, job, seconds=120):
    deadline = time.monotonic() + seconds
    while (told := client.get(f"/api/synth/{job['id']}").json())["state"] in ("waiting", "running"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return told


def test_a_set_is_the_folder_that_synth_writes(client, segmenter, synthesis, tmp_path):
    begun = client.post("/api/synth", json={**SET, "refine": "cut", "prior": 0.5})
    assert begun.status_code == 202
    job = begun.json()
    assert begun.headers["location"] == f"/api/synth/{job['id']}"
    told = ended(client, job)
    assert (told["state"], told["done"], told["total"], told["samples"]) == ("done", 2, 2, 2)
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"/api/synth/{job['id']}/result").content))
    asked = replace(synthesis, cut=synthesis.cut.to_pixels("cut", 0.5))
    synthesize_set(segmenter.backbone, SET["classes"], tmp_path / "set", count=2, seed=5, config=asked)
    files = {path.name: path.read_bytes() for path in (tmp_path / "set").iterdir()}
    assert {name: archive.read(name) for name in archive.namelist()} == files
    assert "shard-000000.tar" in files
    assert client.delete(f"/api/synth/{job['id']}").json()["state"] == "cancelled"
    assert client.get(f"/api/synth/{job['id']}/result").status_code == 409


def test_running_and_waiting_sets_can_be_cancelled_and_too_many_are_refused(client_of):
    with client_of(max_count=1000) as client:
        jobs = [client.post("/api/synth", json={**SET, "count": 1000}) for _ in range(9)]
        assert [job.status_code for job in jobs] == [202] * 8 + [429]
        assert "Retry-After" in jobs[-1].headers
        for job in reversed(jobs[:-1]):
            assert client.delete(f"/api/synth/{job.json()['id']}").status_code == 200
        states = [ended(client, job.json()) for job in jobs[:-1]]
        assert all(told["state"] == "cancelled" and told["done"] < 1000 for told in states)


def test_a_set_that_takes_too_long_fails_and_says_so(client_of):
    with client_of(job_timeout=0.001) as client:
        told = ended(client, client.post("/api/synth", json=SET).json())
    assert told["state"] == "failed"
    assert "longer than 0.001 seconds" in told["error"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"count": 4}, "at most 3"),
        ({"count": 0}, "count"),
        ({"classes": []}, "classes"),
        ({"classes": [" "]}, "no class name"),
        ({"classes": ["photo"]}, "template"),
        ({"classes": ["cat" * 100]}, "classes"),
        ({"classes": ["x" * 99]}, "prompt"),
        ({"classes": "cat"}, "classes"),
        ({"seed": -1}, "seed"),
        ({"seed": 10**30}, "seed"),
        ({"steps": 10**6}, "steps"),
        ({"guidance": 0}, "guidance"),
        ({"refine": "bilateral"}, "refine"),
        ({"prior": -1}, "prior"),
        ({"refine": "guided", "prior": 1}, "refine cut alone"),
        ({"out": "/tmp/x"}, "out"),
        ({"model": "bright"}, "bright has no generator to draw with; choose another model"),
    ],
)
def test_wrong_sets_are_refused_with_a_reason(client, change, word):
    answer = client.post("/api/synth", json={**SET, **change})
    assert answer.status_code == 422
    assert word in answer.json()["detail"]


def test_strange_bodies_and_addresses_are_refused(client):
    sent = {"Content-Type": "application/json"}
    for body in (b"", b"{", b"[]", b"null", b"\xff", b'{"classes": ["\\ud800"]}', b"[" * 100_000):
        assert 400 <= client.post("/api/synth", content=body, headers=sent).status_code < 500, body[:20]
    assert client.post("/api/synth", content=bytes(2**20 + 1), headers=sent).status_code == 413
    assert client.post("/api/synth", json={**SET, "model": "/etc"}).status_code == 404
    for name in ("x", "..%2f..%2fetc%2fpasswd", "%00"):
        for path in (f"/api/synth/{name}", f"/api/synth/{name}/result"):
            assert client.get(path).status_code == 404


def test_openapi_describes_every_address(client):
    described = client.get("/api/openapi.json").json()
    assert set(described["paths"]) == {
        "/api/predict",
        "/api/synth",
        "/api/synth/{id}",
        "/api/synth/{id}/result",
        "/api/health",
        "/api/models",
    }
    assert "multipart/form-data" in described["paths"]["/api/predict"]["post"]["requestBody"]["content"]
    assert "https://" not in json.dumps(described)
