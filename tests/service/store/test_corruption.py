"""Damaged values: never a wrong answer, never an unexpected failure, and always a way to repair them."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY

from service.adaptation import Adaptation
from service.errors import CorruptRecord, UnknownClient
from service.inputs.decoder import Decoder
from service.settings import Settings
from service.store.checksums import parse_record
from service.store.keys import EXPIRIES_KEY, index_key, record_key, state_key, support_key
from service.store.records import ClientKey, Record
from service.store.store import Store
from tests.service.redises import EITHER
from tests.service.store.fake_engine import CATALOGUE, FakeEngine
from tests.service.supports import ALICE, draft, numbers

pytestmark = pytest.mark.anyio

BOB = ClientKey("acme", "bob")
KEYS: dict[str, Callable[[ClientKey], str]] = {"record": record_key, "support": support_key, "state": state_key}
SUPPORT = [([1.0], 3.0), ([2.0], 4.0)]
MORE = [([5.0], 6.0)]


def counted(name: str = "handful_corrupt_records_total") -> float:
    return REGISTRY.get_sample_value(name) or 0


def clients_of(store: Store) -> Adaptation:
    """No state stays on the device, so that every predict reads what is stored."""
    return Adaptation(CATALOGUE, FakeEngine(random.Random(0), evicts=1), store, Settings(), Decoder(Settings()))


@pytest.fixture
async def clients(store) -> Adaptation:
    clients = clients_of(store)
    for client in (ALICE, BOB):
        await clients.adapt(client, "echo", SUPPORT, None)
    return clients


async def attempt(call: Any) -> Any:
    """The result, or CorruptRecord; anything else is raised."""
    try:
        return await call
    except CorruptRecord:
        return CorruptRecord


async def check(clients: Adaptation) -> None:
    """Every read answers rightly, or says that the client is corrupt; the other client is not affected."""
    answered = await attempt(clients.predict(ALICE, [[0.0]]))
    assert answered is CorruptRecord or answered.answers[0].tolist() == [3.0, 4.0]
    shown = await attempt(clients.show(ALICE))
    assert shown is CorruptRecord or (shown.version, shown.examples) == (1, 2)
    page = await clients.page("acme", after="", limit=10)
    assert [each.client_id for each in page] == (["bob"] if shown is CorruptRecord else ["alice", "bob"])
    assert (await clients.predict(BOB, [[0.0]])).answers[0].tolist() == [3.0, 4.0]


@pytest.mark.parametrize("part", KEYS)
async def test_any_flipped_bit_is_noticed_or_harmless(store, redis, clients, part):
    key, chance = KEYS[part](ALICE), random.Random(part)
    whole = redis.get(key)
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << chance.randrange(8)
        redis.set(key, bytes(damaged))
        await check(clients)


@pytest.mark.parametrize("part", KEYS)
async def test_any_truncation_is_noticed_or_harmless(store, redis, clients, part):
    key = KEYS[part](ALICE)
    whole = redis.get(key)
    for length in range(len(whole)):
        redis.set(key, whole[:length])
        await check(clients)


def truncated(redis: Any, key: str) -> None:
    redis.set(key, redis.get(key)[:-3])


def of_another_type(redis: Any, key: str) -> None:
    redis.delete(key)
    redis.hset(key, "field", "value")


def lost(redis: Any, key: str) -> None:
    redis.delete(key)


DAMAGES = [truncated, of_another_type]


@pytest.mark.parametrize("damage", [*DAMAGES, lost])
@pytest.mark.parametrize("redis_url", ["server", "cluster"], indirect=True)
async def test_an_unreadable_state_is_rebuilt(clients, redis, damage):
    damage(redis, state_key(ALICE))
    for _ in range(2):
        assert (await clients.predict(ALICE, [[0.0]])).answers[0].tolist() == [3.0, 4.0]
    assert redis.get(state_key(ALICE)).startswith(b"4:")


@pytest.mark.parametrize("part", ["record", "support"])
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("redis_url", ["server", "cluster"], indirect=True)
class TestAnUnreadableClient:
    """A client with a corrupt record or support set."""

    @pytest.fixture(autouse=True)
    def _damage(self, clients, redis, part, damage):
        damage(redis, KEYS[part](ALICE))
        redis.delete(state_key(ALICE))

    @pytest.mark.parametrize("call", ["predict", "append"])
    async def test_is_refused_with_the_way_out(self, clients, call):
        calls = {
            "predict": lambda: clients.predict(ALICE, [[0.0]]),
            "append": lambda: clients.append(ALICE, None, MORE, 1),
        }
        with pytest.raises(CorruptRecord, match=r"Adapt the client again or DELETE it\."):
            await calls[call]()

    async def test_is_counted(self, clients):
        before = counted()
        await attempt(clients.predict(ALICE, [[0.0]]))
        assert counted() > before

    async def test_is_repaired_by_an_adapt(self, clients):
        await clients.adapt(ALICE, "echo", MORE, None)
        assert (await clients.predict(ALICE, [[0.0]])).answers[0].tolist() == [6.0]
        assert [each.client_id for each in await clients.page("acme", after="", limit=10)] == ["alice", "bob"]

    async def test_is_repaired_by_a_delete(self, clients, redis):
        await clients.forget(ALICE)
        assert redis.keys("*alice*") == []
        with pytest.raises(UnknownClient):
            await clients.show(ALICE)
        with pytest.raises(UnknownClient):
            await clients.forget(ALICE)
        assert [each.client_id for each in await clients.page("acme", after="", limit=10)] == ["bob"]


@EITHER
@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_sweep_goes_on_and_leaves_the_unreadable_client(store, redis, damage):
    await store.commit(ALICE, draft(ttl_s=-2))
    await store.commit(BOB, draft(ttl_s=-1))
    redis.zadd(EXPIRIES_KEY, {b"no colon": 0, b"acme:\xff": 0})
    damage(redis, record_key(ALICE))
    before = counted()
    await store.sweep()
    assert counted() == before + 3
    assert not redis.exists(record_key(BOB))
    assert redis.zrange(EXPIRIES_KEY, 0, -1) == [b"acme:alice"]
    await store.commit(ALICE, draft(2))
    await store.sweep()
    assert (await store.record(ALICE)).examples == 2
    assert redis.zcard(EXPIRIES_KEY) == 0


@EITHER
async def test_a_list_leaves_out_entries_that_are_no_client_ids(store, redis):
    await store.commit(BOB, draft())
    redis.zadd(index_key("acme"), {b"\xff\xfe": 0, b"a\xff": 0})
    assert [each.client_id for each in await store.clients("acme", after="", limit=1)] == ["bob"]


async def test_clients_that_were_written_before_there_were_digests_are_read(store, redis):
    record = await store.commit(ALICE, draft(3))
    old = record.model_dump_json(exclude={"support_digest", "request"})
    redis.set(record_key(ALICE), old)
    assert numbers(*await store.support(ALICE)) == {3}
    assert [each.version for each in await store.clients("acme", after="", limit=1)] == [1]
    followed = await store.commit(ALICE, draft(4), after=await store.record(ALICE))
    assert (followed.version, b'"digest"' in redis.get(record_key(ALICE))) == (2, True)


async def test_an_older_service_can_read_what_is_written(store, redis):
    """During an upgrade some processes are older: they ignore fields that they do not know."""
    written = await store.commit(ALICE, draft())
    assert Record.model_validate_json(redis.get(record_key(ALICE))) == written


@pytest.mark.parametrize(
    "text", [b"", b"{", b"null", b"[]", b'{"write": 1}', b"\xff", b'{"digest":"0"}', b',"digest":"']
)
def test_an_invalid_record_is_corrupt(text):
    with pytest.raises(CorruptRecord):
        parse_record(text)


@EITHER
@pytest.mark.parametrize("key", [index_key("acme"), EXPIRIES_KEY])
async def test_a_list_of_another_type_is_rebuilt(store, redis, key):
    await store.commit(ALICE, draft(ttl_s=60))
    of_another_type(redis, key)
    await store.commit(BOB, draft(ttl_s=-1))
    await store.forget(await _known_third(store))
    await store.sweep()
    assert [each.client_id for each in await store.clients("acme", after="", limit=10)] == ["alice"]
    assert redis.zrange(EXPIRIES_KEY, 0, -1) == [b"acme:alice"]
    assert not redis.exists(record_key(BOB))


async def _known_third(store: Store) -> ClientKey:
    third = ClientKey("acme", "third")
    await store.commit(third, draft())
    return third
