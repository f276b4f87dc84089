"""The admin API."""

import httpx
import pytest

from service.settings import Settings
from tests.service.api.test_keys import LIST, call, made
from tests.service.api.test_openapi import WITH_EXAMPLES, of_admin
from tests.service.serving import serving


@pytest.fixture(scope="module")
def settings(zoo, redis_url) -> Settings:
    return Settings(models=zoo, redis_url=redis_url, auth="keys", wrong_keys=1000)


@pytest.fixture
def admin(api, redis_url) -> str:
    return made(redis_url, "ops", ("admin",)).secret


def ask(api: httpx.Client, key: str, method: str, path: str, body: object = None) -> httpx.Response:
    return api.request(method, f"/admin{path}", json=body, headers={"authorization": f"Bearer {key}"})


def test_keys_are_made_listed_rotated_and_revoked(api, admin):
    new = ask(api, admin, "POST", "/keys", {"tenant": "acme", "expires_s": 1000})
    assert (new.status_code, new.headers["cache-control"]) == (201, "no-store")
    first = new.json()
    assert first["scopes"] == ["read", "predict", "adapt"]
    assert call(api, LIST, first["key"]).status_code == 200
    second = ask(api, admin, "POST", f"/keys/{first['id']}/rotate", {"overlap_s": 60}).json()
    assert second["replaces"] == first["id"]
    again = ask(api, admin, "POST", f"/keys/{first['id']}/rotate", {})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    listed = ask(api, admin, "GET", "/keys?tenant=acme").json()["keys"]
    assert [key["id"] for key in listed] == [first["id"], second["id"]]
    assert {"key", "sha256"}.isdisjoint(listed[0])
    assert ask(api, admin, "DELETE", f"/keys/{second['id']}").json()["tenant"] == "acme"
    assert ask(api, admin, "DELETE", f"/keys/{second['id']}").json()["code"] == "unknown_key"


@pytest.mark.parametrize("scopes", [("read", "predict", "adapt"), ("read",)])
def test_the_admin_api_refuses_keys_of_tenants(api, redis_url, admin, scopes):
    key = made(redis_url, scopes=scopes).secret
    for method, path in (("GET", "/keys"), ("POST", "/keys"), ("DELETE", "/keys/abcdefghijkl")):
        answer = ask(api, key, method, path, {"tenant": "acme"} if method == "POST" else None)
        assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
        assert "'admin'" in answer.json()["detail"]


def test_an_admin_key_cannot_use_clients(api, admin):
    assert call(api, LIST, admin).status_code == 403


def test_the_admin_api_of_a_service_without_keys_is_closed(zoo, redis_url, redis, worker):
    redis.flushall()
    with serving(Settings(models=zoo, redis_url=redis_url), worker) as open_api:
        assert open_api.get("/clients").status_code == 200
        for method, path in (("GET", "/admin/keys"), ("POST", "/admin/keys")):
            answer = open_api.request(method, path, json={"tenant": "acme"})
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert redis.keys("*.keys*") == []


@pytest.mark.parametrize(
    "body",
    [{}, {"tenant": "a b"}, {"tenant": "a", "scopes": []}, {"tenant": "a", "scopes": ["all"]}, {"tenant": "a", "x": 1}],
)
def test_an_invalid_key_request_is_refused(api, admin, body):
    answer = ask(api, admin, "POST", "/keys", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


ADMIN = [(call, example) for call, example in WITH_EXAMPLES if of_admin(call)]


@pytest.mark.parametrize(("call_", "example"), ADMIN, ids=[f"{call.method} {call.path}" for call, _ in ADMIN])
def test_the_examples_of_the_contract_work_as_they_stand(api, redis_url, admin, call_, example):
    values = {"key_id": made(redis_url).key.id, "tenant": "acme"}
    path = call_.path.removeprefix("/admin").format(**values)
    assert ask(api, admin, call_.method.upper(), path, example).is_success


def test_the_contract_has_examples_of_the_admin_api():
    assert {call.path for call, _ in ADMIN} >= {"/admin/keys", "/admin/tenants/{tenant}/quota"}
