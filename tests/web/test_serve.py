"""The verb: what it says, when it ends, and what it needs."""

import json
import os
import signal
import subprocess
import sys
import urllib.request

import pytest

from diffusionseg.demo import photographs
from diffusionseg.web import ServeConfig, check_extra, load_models


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(ValueError, match=r"pip install 'diffusionseg\[web\]'"):
        check_extra()


def test_two_models_of_one_name_are_refused():
    with pytest.raises(ValueError, match="rename"):
        load_models(["mini", "elsewhere/../mini"])


@pytest.mark.parametrize("asked", [{"device": "cuda"}, {"dtype": "float16"}, {"generator": "mini"}])
def test_students_alone_refuse_what_they_have_no_use_for(asked):
    with pytest.raises(ValueError, match="a student has no generator and runs in float32 on the CPU"):
        load_models(["student", "student-int8"], **asked)
    assert list(load_models(["student"], device="cpu")) == ["student"]


def test_beside_decoders_students_run_on_the_processor(monkeypatch):
    asked = {}

    def load(place, **given):
        asked[place] = given

    monkeypatch.setattr("diffusionseg.segmenters.load_segmenter", load)
    load_models(["student", "mini"], device="cuda", dtype="float16")
    assert asked == {"student": {}, "mini": {"model": None, "device": "cuda", "dtype": "float16"}}


def test_a_token_that_is_too_short_and_a_port_in_use_are_named(cli, tmp_path):
    done = cli("serve --token short", tmp_path)
    assert done.returncode == 2
    assert "--token" in done.stderr
    pytest.importorskip("uvicorn")
    from diffusionseg.web.server import listen

    with listen(ServeConfig(), 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"--port {port}: .*choose others"):
            listen(ServeConfig(), port)


@pytest.mark.slow
def test_it_serves_until_it_is_told_to_stop():
    pytest.importorskip("gradio")
    token = "a-token-of-some-length"
    server = subprocess.Popen(
        [sys.executable, "-m", "diffusionseg", "serve", "--port", "0", "--device", "cpu", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "DIFFUSIONSEG_TOKEN": token},
    )
    with server:
        told = json.loads("".join(iter(server.stdout.readline, "}\n")) + "}")
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "image/jpeg"}
        request = urllib.request.Request(f"{told['url']}/api/predict", photographs()[0].read_bytes(), headers)
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["model"] == "mini"
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
