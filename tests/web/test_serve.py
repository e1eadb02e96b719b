"""The verb: what it says, when it ends, and what it needs."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from diffusionseg.demo import photographs
from diffusionseg.web import check_extra, load_models


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(ValueError, match=r"pip install 'diffusionseg\[web\]'"):
        check_extra()


def test_two_models_of_one_name_are_refused():
    with pytest.raises(ValueError, match="rename"):
        load_models(["mini", "elsewhere/../mini"])


@pytest.mark.slow
def test_it_serves_until_it_is_told_to_stop(cli, tmp_path):
    pytest.importorskip("gradio")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = cli(f"serve --port {taken.getsockname()[1]}", tmp_path)
    assert done.returncode == 2
    assert "choose others" in done.stderr
    assert cli("serve --token short", tmp_path).returncode == 2
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
