"""An API key gives access to its tenant only."""

import hashlib
from collections.abc import Iterator

import httpx
import pytest
from pydantic import ValidationError

from service.api.auth import check_guarded
from service.settings import Settings
from tests.service.drawings import letters, png
from tests.service.serving import serving

KEYS = {"acme": "key of acme", "globex": "key-of-globex"}
HASHES = {tenant: hashlib.sha256(key.encode()).hexdigest() for tenant, key in KEYS.items()}
ACME, GLOBEX = ({"x-api-key": key} for key in KEYS.values())
CALLS = {
    "adapt": ("POST", "/adapt", {"client_id": "alice", "support": letters("LV", 1)}),
    "append": ("POST", "/adapt", {"client_id": "alice", "support": letters("LV", 1), "mode": "append"}),
    "predict": ("POST", "/predict", {"client_id": "alice", "inputs": [png("L")]}),
    "list": ("GET", "/clients", None),
    "look": ("GET", "/clients/alice", None),
    "forget": ("DELETE", "/clients/alice", None),
}
WRONG = {
    "no key": {},
    "an unknown key": {"x-api-key": "wrong"},
    "an empty key": {"x-api-key": ""},
    "an unknown bearer": {"authorization": "Bearer wrong"},
    "an empty bearer": {"authorization": "Bearer"},
    "another scheme": {"authorization": "Basic a2V5OmtleQ=="},
    "the hash itself": {"x-api-key": HASHES["acme"]},
    "the tenant's name": {"x-api-key": "acme"},
    "a key in other letters": {"x-api-key": KEYS["acme"].upper()},
    "bytes beyond ASCII": {"x-api-key": b"\xe4\xff"},
}


@pytest.fixture(scope="module")
def settings(zoo, redis_url) -> Settings:
    return Settings(models=zoo, redis_url=redis_url, api_keys=HASHES, wrong_keys=1000)


def call(api: httpx.Client, name: str, headers: dict) -> httpx.Response:
    method, path, body = CALLS[name]
    return api.request(method, path, json=body, headers=headers)


@pytest.fixture
def taught(api) -> Iterator[httpx.Client]:
    """Acme's alice has adapted."""
    call(api, "adapt", ACME).raise_for_status()
    return api


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG.keys())
def test_a_request_without_a_known_key_is_refused_and_changes_nothing(taught, redis, name, headers):
    before = {key: redis.dump(key) for key in redis.keys("*alice*")}
    answer = call(taught, name, headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert {key: redis.dump(key) for key in redis.keys("*alice*")} == before


@pytest.mark.parametrize(
    "headers",
    [{"authorization": f"Bearer {KEYS['acme']}"}, {"authorization": f"bearer {KEYS['acme']}"}, ACME],
    ids=["Bearer", "bearer", "X-API-Key"],
)
def test_a_known_key_is_accepted_by_every_call(api, headers):
    statuses = [call(api, name, headers).status_code for name in CALLS]
    assert statuses == [200, 200, 200, 200, 200, 204]


@pytest.mark.parametrize("name", ["append", "predict", "look", "forget"])
def test_a_client_of_another_tenant_is_unknown(taught, name):
    foreign, before = call(taught, name, GLOBEX), call(taught, "look", ACME).json()
    taught.request("DELETE", "/clients/alice", headers=ACME)
    never = call(taught, name, GLOBEX)
    assert (foreign.status_code, foreign.json()) == (404, never.json())
    assert before["version"] == 1


def test_tenants_may_use_the_same_ids(taught):
    support = letters("ZNO", 1)
    taught.post("/adapt", json={"client_id": "alice", "support": support}, headers=GLOBEX)
    assert [call(taught, "look", who).json()["classes"] for who in (ACME, GLOBEX)] == [["L", "V"], ["N", "O", "Z"]]
    assert call(taught, "predict", ACME).json()["predictions"][0]["label"] == "L"
    assert call(taught, "forget", GLOBEX).status_code == 204
    assert call(taught, "look", ACME).status_code == 200


def test_a_list_shows_only_clients_of_the_tenant(taught):
    assert [client["client_id"] for client in call(taught, "list", ACME).json()["clients"]] == ["alice"]
    assert call(taught, "list", GLOBEX).json()["clients"] == []


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_health_needs_no_key(api, path):
    assert api.get(path).status_code == 200


@pytest.mark.parametrize("tenant", ["", "a:b", "a{b", "a}b", "a b", "ä"])
def test_tenant_names_with_separators_of_redis_keys_are_refused(tenant):
    with pytest.raises(ValidationError):
        Settings(api_keys={tenant: HASHES["acme"]})


@pytest.mark.parametrize("hashed", ["", "secret", HASHES["acme"][:-1], "ü" * 64])
def test_a_value_that_is_not_a_hash_is_refused(hashed):
    with pytest.raises(ValidationError):
        Settings(api_keys={"acme": hashed})


def test_a_hash_can_be_in_capitals(zoo, redis_url, worker):
    shouted = {"acme": HASHES["acme"].upper()}
    with serving(Settings(models=zoo, redis_url=redis_url, api_keys=shouted), worker) as api:
        assert call(api, "list", ACME).status_code == 200


@pytest.mark.parametrize("settings", [
    {"host": "127.0.0.1"},
    {"host": "127.8.0.1"},
    {"host": "::1"},
    {"host": "localhost"},
    {"host": "0.0.0.0", "published_host": "127.0.0.1"},
    {"host": "0.0.0.0", "api_keys": HASHES},
    {"host": "0.0.0.0", "open": True},
])  # fmt: skip
def test_loopback_keys_or_open_are_enough_to_start(settings):
    check_guarded(Settings(**settings))


@pytest.mark.parametrize("settings", [
    {"host": "0.0.0.0"},
    {"host": "::"},
    {"host": "10.0.0.1"},
    {"host": "handful.example"},
    {"published_host": "0.0.0.0"},
    {"host": "0.0.0.0", "published_host": ""},
])  # fmt: skip
def test_an_address_on_the_network_needs_keys(settings):
    with pytest.raises(ValueError, match=r"HANDFUL_API_KEYS.*HANDFUL_OPEN"):
        check_guarded(Settings(**settings))
