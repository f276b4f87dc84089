"""API keys that are made while the service runs."""

import asyncio
import hashlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest

from service.settings import Settings
from service.store.key_ring import Scope
from service.store.store import Store
from service.use_cases.keys import Keys, NewKey
from tests.service.drawings import letters, png
from tests.service.serving import serving

ADAPT = ("POST", "/adapt", {"client_id": "alice", "support": letters("LV", 1)})
PREDICT = ("POST", "/predict", {"client_id": "alice", "inputs": [png("L")]})
LIST = ("GET", "/clients", None)
LOOK = ("GET", "/clients/alice", None)
FORGET = ("DELETE", "/clients/alice", None)


@pytest.fixture(scope="module")
def settings(zoo, redis_url) -> Settings:
    return Settings(models=zoo, redis_url=redis_url, auth="keys", wrong_keys=1000)


def call(api: httpx.Client, what: tuple, key: str = "") -> httpx.Response:
    method, path, body = what
    return api.request(method, path, json=body, headers={"authorization": f"Bearer {key}"} if key else {})


def keys(redis_url: str, work: Callable[[Keys], Awaitable]) -> NewKey:
    """What a use case of the keys gives, of another process."""

    async def run():
        store = Store(redis_url, timeout_s=20, state_ttl_s=1000)
        try:
            return await work(Keys(store))
        finally:
            await store.close()

    return asyncio.run(run())


def made(redis_url: str, tenant: str = "acme", scopes: tuple[Scope, ...] = ("read", "predict", "adapt")) -> NewKey:
    return keys(redis_url, lambda these: these.create(tenant, scopes))


def until_refused(api: httpx.Client, key: str) -> float:
    """Seconds until a key is refused."""
    began = time.monotonic()
    while call(api, LIST, key).status_code == 200:
        assert time.monotonic() - began < 60
    return time.monotonic() - began


def test_with_auth_keys_a_service_without_keys_is_closed(api):
    assert call(api, LIST).status_code == 401
    assert call(api, LIST, "anything").status_code == 401


def test_a_key_made_while_the_service_runs_is_accepted_at_once(api, redis_url):
    key = made(redis_url).secret
    assert [call(api, what, key).status_code for what in (ADAPT, PREDICT, LIST, LOOK, FORGET)] == [200] * 4 + [204]
    assert call(api, LIST, key[:-1] + ("A" if key[-1] != "A" else "B")).status_code == 401


@pytest.mark.parametrize(
    ("scope", "allowed"), [("read", {"LIST", "LOOK"}), ("predict", {"PREDICT"}), ("adapt", {"ADAPT", "FORGET"})]
)
def test_each_scope_allows_its_calls_only_and_the_refusal_names_it(api, redis_url, scope, allowed):
    call(api, ADAPT, made(redis_url).secret).raise_for_status()
    key = made(redis_url, scopes=(scope,)).secret
    calls = {"LIST": LIST, "LOOK": LOOK, "PREDICT": PREDICT, "ADAPT": ADAPT, "FORGET": FORGET}
    answers = {name: call(api, what, key) for name, what in calls.items()}
    refused = {name: answer for name, answer in answers.items() if answer.status_code == 403}
    assert set(answers) - set(refused) == allowed
    for answer in refused.values():
        assert answer.json()["code"] == "missing_scope"
        assert "needs the scope" in answer.json()["detail"]
        assert scope in answer.json()["detail"]
    assert all(answer.is_success for name, answer in answers.items() if name in allowed)


def test_tenants_of_stored_keys_do_not_see_each_other(api, redis_url):
    acme, globex = (made(redis_url, tenant).secret for tenant in ("acme", "globex"))
    call(api, ADAPT, acme).raise_for_status()
    assert call(api, LOOK, globex).json() == call(api, LOOK, globex).json()
    assert call(api, LOOK, globex).status_code == call(api, PREDICT, globex).status_code == 404
    assert call(api, FORGET, globex).status_code == 404
    assert call(api, LIST, globex).json()["clients"] == []
    assert call(api, LOOK, acme).status_code == 200


def test_a_revoked_key_is_refused_within_the_documented_time(api, redis_url):
    key = made(redis_url)
    assert call(api, LIST, key.secret).status_code == 200
    keys(redis_url, lambda these: these.revoke(key.key.id))
    until_refused(api, key.secret)  # the bound itself is a law of the cache, below, with a clock of its own


def test_a_rotation_loses_no_request_and_ends_the_key_before_both(api, redis_url):
    first = made(redis_url)
    second = keys(redis_url, lambda these: these.rotate(first.key.id))
    assert [call(api, LIST, key.secret).status_code for key in (first, second)] == [200, 200]
    third = keys(redis_url, lambda these: these.rotate(second.key.id))
    assert [call(api, LIST, key.secret).status_code for key in (second, third)] == [200, 200]
    until_refused(api, first.secret)


def test_keys_change_under_load_without_a_failed_request(api, redis_url):
    current, used, statuses, ended = made(redis_url), set(), [], threading.Event()

    def ask() -> None:
        while not ended.is_set():
            secret = current.secret
            statuses.append(call(api, LIST, secret).status_code)
            used.add(secret)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(3):
            old = current
            current = keys(redis_url, lambda these, old=old: these.rotate(old.key.id))
            began = time.monotonic()
            while current.secret not in used:
                assert time.monotonic() - began < 60
            keys(redis_url, lambda these, old=old: these.revoke(old.key.id))
    finally:
        ended.set()
        asking.join()
    assert set(statuses) == {200}


def test_an_expired_key_is_refused_and_says_so(api, redis_url):
    key = keys(redis_url, lambda these: these.create("acme", expires_s=1))
    began = time.monotonic()
    while (answer := call(api, LIST, key.secret)).status_code == 200:
        assert time.monotonic() - began < 60
    assert answer.status_code == 401
    assert "has expired" in answer.json()["detail"]


def test_too_many_wrong_keys_are_slowed_down_and_right_ones_are_not(zoo, redis_url, redis, worker):
    redis.flushall()
    right = made(redis_url).secret
    settings = Settings(models=zoo, redis_url=redis_url, wrong_keys=2)
    with serving(settings, worker) as api:
        answers = [call(api, LIST, f"wrong-{number}") for number in range(4)]
        assert [answer.status_code for answer in answers] == [401, 401, 429, 429]
        assert answers[-1].json()["code"] == "too_many_wrong_keys"
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 2
        assert call(api, LIST, right).status_code == 200


def test_the_first_key_closes_an_open_service_for_good(zoo, redis_url, redis, worker):
    redis.flushall()
    with serving(Settings(models=zoo, redis_url=redis_url), worker) as api:
        assert call(api, LIST).status_code == 200
        key = made(redis_url)
        began = time.monotonic()
        while call(api, LIST).status_code == 200:
            assert time.monotonic() - began < 60
        assert call(api, LIST, key.secret).status_code == 200
        keys(redis_url, lambda these: these.revoke(key.key.id))
    with serving(Settings(models=zoo, redis_url=redis_url, open=True), worker) as api:
        assert call(api, LIST).status_code == 401


def test_keys_of_the_settings_are_valid_beside_stored_ones(zoo, redis_url, redis, worker):
    redis.flushall()
    hashed = hashlib.sha256(b"in settings").hexdigest()
    with serving(Settings(models=zoo, redis_url=redis_url, api_keys={"globex": hashed}), worker) as api:
        stored = made(redis_url).secret
        assert [call(api, LIST, key).status_code for key in ("in settings", stored, "")] == [200, 200, 401]


def test_the_last_use_is_stored_once_for_many_requests(api, redis_url, redis):
    key = made(redis_url)
    for _ in range(3):
        call(api, LIST, key.secret).raise_for_status()
    began = time.monotonic()
    while not redis.hlen("handful:{handful:expiries}:used"):
        assert time.monotonic() - began < 60
    (listed,) = keys(redis_url, lambda these: these.list("acme"))
    assert listed.last_used_at is not None
    redis.hdel("handful:{handful:expiries}:used", key.key.id)
    call(api, LIST, key.secret).raise_for_status()
    assert redis.hlen("handful:{handful:expiries}:used") == 0


def test_no_key_is_in_redis_or_in_a_log(api, redis_url, redis, caplog):
    caplog.set_level(logging.DEBUG)
    key = made(redis_url)
    call(api, LIST, key.secret).raise_for_status()
    call(api, LIST, key.secret + "x")
    secret = key.secret.removeprefix(f"hk_{key.key.id}_")
    assert secret not in ("", key.secret)
    values = [redis.dump(name) for name in redis.keys("*")]
    assert not any(secret.encode() in value for value in values)
    assert secret not in caplog.text
    assert secret not in repr(key.key)
