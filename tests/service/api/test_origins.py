"""Browsers: pages of other sites can neither call the service nor reach it by another name."""

from collections.abc import Iterator

import httpx
import pytest

from service.settings import Settings
from tests.service.drawings import letters
from tests.service.serving import serving
from tests.service.sockets import answers

BODY = {"client_id": "alice", "support": letters("LV")}
APP = "https://app.example.com"
KEY = {"acme": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}  # of "test"


@pytest.fixture(scope="module")
def shared(settings, worker) -> Iterator[httpx.Client]:
    """A service that lets pages of one other origin in."""
    with serving(
        settings.model_copy(update={"cors_origins": [APP], "allowed_hosts": ["api.example.com"]}), worker
    ) as api:
        yield api


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:1", "null", "http://[", APP])
@pytest.mark.parametrize("kind", [None, "text/plain", "application/json"])
def test_a_post_from_a_foreign_origin_is_refused(api, origin, kind):
    content = httpx.Request("POST", "http://x", json=BODY).content
    request = api.build_request("POST", "/adapt", content=content, headers={"origin": origin})
    request.headers.update({"content-type": kind} if kind else {})
    refusal = api.send(request)
    assert (refusal.status_code, refusal.json()["code"]) == (403, "forbidden")
    assert "HANDFUL_CORS_ORIGINS" in refusal.json()["detail"]
    assert api.get("/clients/alice").status_code == 404


def test_a_delete_from_a_foreign_origin_is_refused(api):
    api.post("/adapt", json=BODY).raise_for_status()
    assert api.delete("/clients/alice", headers={"origin": "https://evil.example"}).status_code == 403
    assert api.get("/clients/alice").status_code == 200


@pytest.mark.parametrize("headers", [{}, {"x-forwarded-host": "public.example"}], ids=["direct", "proxy"])
def test_the_service_s_own_pages_may_call_it(api, headers):
    own = headers.get("x-forwarded-host", api.base_url.netloc.decode())
    assert api.post("/adapt", json=BODY, headers={"origin": f"https://{own}"} | headers).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "10.0.0.1", "localhost.evil.example", "[::2]"])
@pytest.mark.parametrize("path", ["/clients", "/models", "/docs", "/nowhere"])
def test_a_foreign_host_name_is_refused(api, path, host):
    refusal = api.get(path, headers={"host": host})
    assert (refusal.status_code, refusal.json()["code"]) == (403, "forbidden")
    assert "HANDFUL_ALLOWED_HOSTS" in refusal.json()["detail"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.8.0.1:80", "[::1]:8000", "api:8000"])
def test_the_service_s_own_names_are_known(api, host):
    assert api.get("/clients", headers={"host": host}).status_code == 200


def test_probes_may_use_any_name(api):
    assert api.get("/healthz", headers={"host": "pod.cluster.example"}).status_code == 200


def test_a_setting_allows_names(shared):
    assert shared.get("/clients", headers={"host": "api.example.com"}).status_code == 200
    assert shared.get("/clients", headers={"host": "evil.example"}).status_code == 403


@pytest.mark.parametrize("more", [{"api_keys": KEY}, {"open": True}, {"allowed_hosts": ["*"]}], ids=str)
def test_where_pages_cannot_use_it_any_name_is_known(settings, worker, more):
    guarded = Settings(models=settings.models, redis_url=settings.redis_url, **more)
    with serving(guarded, worker) as api:
        assert api.get("/clients", headers={"host": "api.example", "x-api-key": "test"}).status_code == 200


def test_a_setting_lets_pages_of_an_origin_in(shared):
    asked = {"origin": APP, "access-control-request-method": "POST", "access-control-request-headers": "x-api-key"}
    preflight = shared.options("/adapt", headers=asked)
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, APP)
    answer = shared.post("/adapt", json=BODY, headers={"origin": APP})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, APP)
    foreign = shared.post("/adapt", json=BODY, headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert "access-control-allow-origin" not in foreign.headers


def test_two_hosts_are_refused(api):
    sent = b"GET /clients HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert answers(api, sent).startswith(b"HTTP/1.1 400 ")
