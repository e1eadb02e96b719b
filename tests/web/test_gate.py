"""Who may come in, and what no answer goes without."""

import pytest

from diffusionseg.web import ServeConfig

TOKEN = "a-token-of-some-length"


@pytest.fixture(scope="module")
def guarded(client_of):
    with client_of(token=TOKEN) as client:
        yield client


def test_health_and_models(client):
    assert client.get("/api/health").json()["status"] == "ok"
    models = client.get("/api/models").json()["models"]
    assert [model["name"] for model in models] == ["tiny", "other", "bright"]
    assert models[0]["image_size"] == 64


def test_without_the_token_there_is_only_health(guarded):
    assert guarded.get("/api/health").status_code == 200
    for path in ("/api/models", "/api/openapi.json", "/", "/api/synth/x", "/nowhere"):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Cookie": "diffusionseg=x"}):
            assert guarded.get(path, headers=headers).status_code == 401
    assert guarded.post("/api/predict", content=b"x").status_code == 401
    assert guarded.get("/api/models", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_a_browser_gets_a_form_and_with_the_token_a_pass(guarded):
    shown = guarded.get("/", headers={"Accept": "text/html"})
    assert shown.status_code == 401
    assert '<input type="password" name="token"' in shown.text
    wrong = guarded.post("/login", data={"token": "wrong"})
    assert wrong.status_code == 401
    assert 'role="alert"' in wrong.text
    right = guarded.post("/login", data={"token": TOKEN}, follow_redirects=False)
    assert (right.status_code, right.headers["location"]) == (303, "/")
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    assert guarded.get("/api/models").status_code == 200
    guarded.cookies.clear()
    assert guarded.get("/api/models").status_code == 401


def test_requests_of_other_sites_are_refused(client):
    assert client.get("/api/health", headers={"Host": "evil.example"}).status_code == 421
    assert client.get("/api/health", headers={"Host": "127.0.0.1:7860"}).status_code == 200
    assert client.post("/api/predict", content=b"x", headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.get("/api/health", headers={"Origin": "http://localhost"}).status_code == 200


def test_every_answer_has_its_headers_and_none_lets_other_sites_read(client):
    for path in ("/api/health", "/nowhere", "/api/synth/x"):
        headers = client.get(path, headers={"Origin": "http://localhost"}).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in headers["content-security-policy"]
        assert not [name for name in headers if name.startswith("access-control")]


def test_limits_and_tokens_that_make_no_sense_are_refused(tmp_path):
    for wrong in (
        {"token": "short"},
        {"token": "ä" * 20},
        {"queue": 0},
        {"timeout": 0.0},
        {"timeout": float("nan")},
        {"max_pixels": 10},
        {"allow": (tmp_path / "nowhere",)},
    ):
        with pytest.raises(ValueError, match="--"):
            ServeConfig(**wrong)
