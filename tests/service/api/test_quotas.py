"""Quotas over HTTP: refusals, the RateLimit fields, usage, and what the operator sets while the service runs."""

import re
import time

import pytest

from service.settings import Settings
from tests.service.api.test_admin import ask
from tests.service.api.test_keys import ADAPT, LIST, PREDICT, call, made
from tests.service.drawings import letters
from tests.service.serving import serving


@pytest.fixture(scope="module")
def settings(zoo, redis_url) -> Settings:
    return Settings(models=zoo, redis_url=redis_url, auth="keys", wrong_keys=1000)


@pytest.fixture
def admin(api, redis_url) -> str:
    return made(redis_url, "ops", ("admin",)).secret


def quota(api, admin: str, tenant: str, **changes) -> None:
    """Set a quota and wait until every cache has it."""
    ask(api, admin, "PATCH", f"/tenants/{tenant}/quota", changes).raise_for_status()


def new_tenant(redis_url: str) -> tuple[str, str]:
    """A tenant that no test has used, and its key."""
    name = f"tenant-{time.monotonic_ns()}"
    return name, made(redis_url, name).secret


def adapt(name: str, shots: int = 1) -> tuple:
    return "POST", "/adapt", {"client_id": name, "support": letters("LV", shots)}


def test_a_quota_of_clients_refuses_another_client_and_nothing_else(api, redis_url, admin):
    tenant, key = new_tenant(redis_url)
    quota(api, admin, tenant, clients=1)
    assert call(api, ADAPT, key).status_code == 200
    refused = call(api, adapt("bob"), key)
    assert (refused.status_code, refused.json()["code"]) == (403, "quota_exceeded")
    assert "stores 1 clients; its quota is 1" in refused.json()["detail"]
    assert [call(api, what, key).status_code for what in (ADAPT, PREDICT, LIST)] == [200, 200, 200]
    assert call(api, ("DELETE", "/clients/alice", None), key).status_code == 204
    assert call(api, adapt("bob"), key).status_code == 200


@pytest.mark.parametrize(("field", "status", "code"), [
    ("examples", 403, "quota_exceeded"), ("bytes", 507, "storage_exceeded")
])  # fmt: skip
def test_quotas_of_examples_and_bytes_name_their_numbers(api, redis_url, admin, field, status, code):
    tenant, key = new_tenant(redis_url)
    quota(api, admin, tenant, **{field: 2})
    refused = call(api, adapt("alice", shots=3), key)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert "its quota is 2" in refused.json()["detail"]
    assert call(api, LIST, key).json()["clients"] == []


def test_a_limited_rate_is_told_and_refused_with_the_wait(api, redis_url, admin):
    tenant, key = new_tenant(redis_url)
    quota(api, admin, tenant, requests_per_s=0.01, burst=2)
    answers = [call(api, LIST, key) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["ratelimit-policy"] for answer in answers] == ['"requests";q=2;w=200'] * 3
    left = [re.fullmatch(r'"requests";r=(\d);t=(\d+)', answer.headers["ratelimit"]) for answer in answers]
    assert [int(found[1]) for found in left] == [1, 0, 0]
    assert answers[-1].json()["code"] == "rate_exceeded"
    assert 90 <= int(answers[-1].headers["retry-after"]) <= 100
    assert api.get("/usage", headers={"x-api-key": key}).status_code == 200


def test_one_tenant_at_its_rate_does_not_slow_another(api, redis_url, admin):
    (flooding, one), (_, other) = new_tenant(redis_url), new_tenant(redis_url)
    quota(api, admin, flooding, requests_per_s=0.01, burst=1)
    statuses = [(call(api, LIST, one).status_code, call(api, LIST, other).status_code) for _ in range(3)]
    assert statuses == [(200, 200), (429, 200), (429, 200)]
    assert "ratelimit" not in call(api, LIST, other).headers


def test_seconds_of_the_device_are_counted_and_refuse_when_they_are_used(api, redis_url, admin):
    tenant, key = new_tenant(redis_url)
    quota(api, admin, tenant, device_s_per_min=0.001)
    call(api, ADAPT, key).raise_for_status()
    began = time.monotonic()
    while (answer := call(api, PREDICT, key)).status_code != 429:
        assert time.monotonic() - began < 60
    assert "seconds of the device" in answer.json()["detail"]
    assert answer.headers["ratelimit"].startswith('"device-seconds";r=0;')
    used = api.get("/usage", headers={"x-api-key": key}).json()
    assert sum(day["device_s"] for day in used["days"]) > 0


def test_usage_is_shown_to_the_tenant_and_that_of_all_to_the_operator(api, redis_url, admin):
    tenant, key = new_tenant(redis_url)
    quota(api, admin, tenant, clients=5, bytes=None)
    call(api, ADAPT, key).raise_for_status()
    used = api.get("/usage", headers={"x-api-key": key}).json()
    assert used["tenant"] == tenant
    assert used["stored"] == {"clients": 1, "examples": 2, "bytes": 2 * 28 * 28}
    assert (used["quota"]["clients"], used["quota"]["bytes"]) == (5, None)
    assert tenant in ask(api, admin, "GET", "/tenants").json()["tenants"]
    (shown,) = [each for each in ask(api, admin, "GET", "/usage").json()["tenants"] if each["tenant"] == tenant]
    assert shown["stored"] == used["stored"]


def test_requests_are_counted_once_a_second(api, redis_url):
    _, key = new_tenant(redis_url)
    for _ in range(5):
        call(api, LIST, key).raise_for_status()
    began = time.monotonic()
    while not (days := api.get("/usage", headers={"x-api-key": key}).json()["days"]) or days[0]["requests"] < 5:
        assert time.monotonic() - began < 60
    assert days[0]["requests"] == 5  # asking for the usage is not counted


def test_defaults_are_of_the_settings_and_an_override_can_lift_them(zoo, redis_url, redis, worker):
    redis.flushall()
    limited = Settings(models=zoo, redis_url=redis_url, auth="keys", quota_clients=0, wrong_keys=1000)
    with serving(limited, worker) as api:
        admin = made(redis_url, "ops", ("admin",)).secret
        (one, key), (_, other) = new_tenant(redis_url), new_tenant(redis_url)
        quota(api, admin, one, clients=None)
        assert [call(api, ADAPT, each).status_code for each in (key, other)] == [200, 403]
        quota(api, admin, one, clients="default")
        assert call(api, adapt("bob"), key).status_code == 403


@pytest.mark.parametrize("body", [{"clients": -1}, {"clients": "many"}, {"burst": 0}, {"requests_per_s": 0}, {"x": 1}])
def test_an_invalid_quota_is_refused(api, admin, body):
    answer = ask(api, admin, "PATCH", "/tenants/acme/quota", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_a_deleted_tenant_is_gone_and_leaves_a_receipt(api, redis_url, redis, admin):
    (gone, key), (_, other) = new_tenant(redis_url), new_tenant(redis_url)
    for who in (key, other):
        call(api, ADAPT, who).raise_for_status()
    receipt = ask(api, admin, "DELETE", f"/tenants/{gone}").json()
    assert (receipt["clients"], receipt["examples"], receipt["keys"]) == (1, 2, 1)
    assert call(api, adapt("bob"), key).status_code == 401
    assert call(api, PREDICT, other).status_code == 200
    assert gone not in ask(api, admin, "GET", "/tenants").json()["tenants"]
    assert [key for key in redis.keys("*") if gone.encode() in key] == [f"handful:{{{gone}}}:usage".encode()]


def test_a_damaged_bucket_is_full_again(api, redis_url, redis, admin):
    tenant, key = new_tenant(redis_url)
    quota(api, admin, tenant, requests_per_s=0.01, burst=1)
    redis.set(f"handful:{{{tenant}}}:rate", "no hash")
    assert [call(api, LIST, key).status_code for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("named", [False, True])
def test_metrics_name_tenants_only_if_the_setting_says_so(zoo, redis_url, redis, worker, named):
    redis.flushall()
    settings = Settings(models=zoo, redis_url=redis_url, auth="keys", tenant_metrics=named)
    with serving(settings, worker) as api:
        tenant, key = new_tenant(redis_url)
        call(api, LIST, key).raise_for_status()
        began = time.monotonic()
        while not api.get("/usage", headers={"x-api-key": key}).json()["days"]:
            assert time.monotonic() - began < 60
        assert (tenant in api.get("/metrics").text) is named
