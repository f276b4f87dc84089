"""Damaged values: never a wrong answer, never an unexpected failure, and always a way to repair them."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from prometheus_client import REGISTRY
from safetensors.numpy import save

from service.errors import CorruptRecord, UnknownClient, VersionGone
from service.inputs.decoder import Decoder
from service.settings import Settings
from service.store.checksums import parse_record
from service.store.keys import (
    EXPIRIES_KEY,
    client_keys,
    examples_key,
    index_key,
    inputs_key,
    record_key,
    state_key,
    support_key,
    versions_key,
)
from service.store.records import STATE_FORM, ClientKey, Record
from service.store.store import Store
from tests.service.redises import EITHER
from tests.service.store.fake_engine import CATALOGUE, FakeEngine
from tests.service.supports import ALICE, Calls, draft, teaching, use_cases

pytestmark = pytest.mark.anyio

BOB = ClientKey("acme", "bob")
STRINGS: dict[str, Callable[[ClientKey], str]] = {"record": record_key, "state": state_key}
HASHES: dict[str, tuple[Callable[[ClientKey], str], str]] = {
    "version": (versions_key, "1"),
    "example": (examples_key, "0"),
    "input": (inputs_key, "0"),
}
PARTS = [*STRINGS, *HASHES]
"""The values of a client. Those of a hash are named by one of its fields."""
SUPPORT = [([1.0], 3.0), ([2.0], 4.0)]
MORE = [([5.0], 6.0)]


def counted(name: str = "handful_corrupt_records_total") -> float:
    return REGISTRY.get_sample_value(name) or 0


def clients_of(store: Store) -> Calls:
    """No state stays on the device, so that every predict reads what is stored."""
    return use_cases(CATALOGUE, FakeEngine(random.Random(0), evicts=1), store, Settings(), Decoder(Settings()))


@pytest.fixture
async def clients(store) -> Calls:
    clients = clients_of(store)
    for client in (ALICE, BOB):
        await clients.adapt(client, teaching("echo", SUPPORT, None))
    return clients


async def attempt(call: Any) -> Any:
    """The result, or CorruptRecord; anything else is raised."""
    try:
        return await call
    except CorruptRecord:
        return CorruptRecord


async def check(clients: Calls) -> None:
    """Every read answers rightly, or says that the client is corrupt; the other client is not affected."""
    answered = await attempt(clients.predict(ALICE, [[0.0]]))
    assert answered is CorruptRecord or answered.answers[0].tolist() == [3.0, 4.0]
    shown = await attempt(clients.show(ALICE))
    assert shown is CorruptRecord or (shown.version, shown.examples) == (1, 2)
    page = await clients.page("acme", after="", limit=10)
    assert [each.client_id for each in page] == (["bob"] if shown is CorruptRecord else ["alice", "bob"])
    assert (await clients.predict(BOB, [[0.0]])).answers[0].tolist() == [3.0, 4.0]


def key_of(part: str) -> str:
    return STRINGS[part](ALICE) if part in STRINGS else HASHES[part][0](ALICE)


def read(redis: Any, part: str) -> bytes:
    return redis.get(key_of(part)) if part in STRINGS else redis.hget(key_of(part), HASHES[part][1])


def write(redis: Any, part: str, value: bytes) -> None:
    if part in STRINGS:
        redis.set(key_of(part), value)
    else:
        redis.hset(key_of(part), HASHES[part][1], value)


@pytest.mark.parametrize("part", PARTS)
async def test_any_flipped_bit_is_noticed_or_harmless(store, redis, clients, part):
    chance, whole = random.Random(part), read(redis, part)
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << chance.randrange(8)
        write(redis, part, bytes(damaged))
        redis.delete(state_key(ALICE)) if part != "state" else None
        await check(clients)


@pytest.mark.parametrize("part", PARTS)
async def test_any_truncation_is_noticed_or_harmless(store, redis, clients, part):
    whole = read(redis, part)
    for length in range(len(whole)):
        write(redis, part, whole[:length])
        redis.delete(state_key(ALICE)) if part != "state" else None
        await check(clients)


def truncated(redis: Any, part: str) -> None:
    write(redis, part, read(redis, part)[:-3])


def of_another_type(redis: Any, key: str) -> None:
    redis.delete(key)
    redis.rpush(key, "value")


def replaced(redis: Any, part: str) -> None:
    of_another_type(redis, key_of(part))


def lost(redis: Any, part: str) -> None:
    redis.delete(key_of(part))


def lost_field(redis: Any, part: str) -> None:
    redis.hdel(key_of(part), HASHES[part][1])


DAMAGES = [truncated, replaced]


@pytest.mark.parametrize("damage", [*DAMAGES, lost])
@pytest.mark.parametrize("redis_url", ["server", "cluster"], indirect=True)
async def test_an_unreadable_state_is_rebuilt(clients, redis, damage):
    damage(redis, "state")
    for _ in range(2):
        assert (await clients.predict(ALICE, [[0.0]])).answers[0].tolist() == [3.0, 4.0]
    assert redis.get(state_key(ALICE)).startswith(f"{STATE_FORM}:".encode())


UNREADABLE = [("record", each) for each in DAMAGES]
UNREADABLE += [(part, each) for part in HASHES for each in (*DAMAGES, lost, lost_field)]


@pytest.mark.parametrize(("part", "damage"), UNREADABLE)
@pytest.mark.parametrize("redis_url", ["server", "cluster"], indirect=True)
class TestAnUnreadableClient:
    """A client with a corrupt record or support set."""

    @pytest.fixture(autouse=True)
    def _damage(self, clients, redis, part, damage):
        damage(redis, part)
        redis.delete(state_key(ALICE))

    @pytest.mark.parametrize("call", ["predict", "append"])
    async def test_is_refused_with_the_way_out(self, clients, call):
        calls = {
            "predict": lambda: clients.predict(ALICE, [[0.0]]),
            "append": lambda: clients.append(ALICE, teaching(None, MORE, 1)),
        }
        with pytest.raises(CorruptRecord, match=r"Adapt the client again or DELETE it\."):
            await calls[call]()

    async def test_is_counted(self, clients):
        before = counted()
        await attempt(clients.predict(ALICE, [[0.0]]))
        assert counted() > before

    async def test_is_repaired_by_an_adapt(self, clients):
        await clients.adapt(ALICE, teaching("echo", MORE, None))
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
    damage(redis, "record")
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


NEW = {"next_row", "checkpoint", "change", "form", "receipt"}
"""Fields of a record that 0.1 did not write."""


async def write_as_of_0_1(store: Store, redis: Any) -> None:
    """A client of three examples whose parts show a 3, without digests."""
    record = await store.commit(ALICE, draft(3))
    redis.delete(*client_keys(ALICE)[1:])
    redis.set(record_key(ALICE), record.model_dump_json(exclude=NEW | {"support_digest", "request"}))
    inputs = np.arange(6, dtype=np.float32).reshape(3, 2)
    redis.set(support_key(ALICE), save({"inputs": inputs, "targets": np.full(3, 1)}))


@EITHER
async def test_clients_that_0_1_wrote_are_read(store, redis):
    await write_as_of_0_1(store, redis)
    contents = await store.contents(ALICE)
    assert contents.labels() == ["3"] * 3
    assert contents.support().inputs.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert len({example.id for example in contents.examples}) == 3
    assert contents.examples == (await store.contents(ALICE)).examples
    assert [each.version for each in await store.clients("acme", after="", limit=1)] == [1]
    assert [each.version for each in await store.versions(ALICE)] == [1]


@EITHER
async def test_a_removal_takes_the_version_of_0_1(store, redis):
    await write_as_of_0_1(store, redis)
    before = await store.contents(ALICE)
    fewer = draft(2)._replace(examples=before.examples[1:], targets=[1, 1], removed=before.examples[:1])
    await store.commit(ALICE, fewer._replace(form=before.record.form), after=before.record)
    with pytest.raises(VersionGone):
        await store.contents(ALICE, 1)
    assert len((await store.contents(ALICE)).examples) == 2


@EITHER
async def test_a_change_writes_a_client_of_0_1_in_the_new_form(store, redis):
    await write_as_of_0_1(store, redis)
    before = await store.contents(ALICE)
    same = draft(3)._replace(examples=before.examples, form=before.record.form, targets=before.targets)
    followed = await store.commit(ALICE, same, after=before.record)
    assert (followed.version, redis.exists(support_key(ALICE))) == (2, 0)
    after = await store.contents(ALICE)
    assert [example._replace(row=None) for example in after.examples] == before.examples
    assert after.support().inputs.tolist() == before.support().inputs.tolist()


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
